"""Where members' answers and profiles are kept: half-filled questionnaires too, so that a restart loses nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from core.library.database import Database
from core.moods.profile import Profile


@dataclass
class Sitting:
    """One member's questionnaire in progress."""

    form: str = "short"
    answers: list[dict[str, Any]] = field(default_factory=list)


class Moods:
    """Questionnaires and profiles, by Discord user id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def sitting(self, user_id: int) -> Sitting | None:
        row = await self._database.fetch_one(
            "SELECT form, answers FROM questionnaire WHERE user_id=?", (user_id,)
        )
        return Sitting(row["form"], json.loads(row["answers"])) if row else None

    async def save_sitting(self, user_id: int, sitting: Sitting) -> None:
        await self._database.write(
            "INSERT INTO questionnaire (user_id, form, answers) VALUES (?, ?, ?) ON CONFLICT (user_id) DO UPDATE"
            " SET form=excluded.form, answers=excluded.answers, updated_at=unixepoch()",
            (user_id, sitting.form, json.dumps(sitting.answers)),
        )

    async def finish(self, user_id: int, profile: Profile) -> None:
        """Store the profile and end the questionnaire, both or neither."""
        await self._database.write_all(
            (
                "INSERT INTO profile (user_id, data) VALUES (?, ?) ON CONFLICT (user_id) DO UPDATE"
                " SET data=excluded.data, updated_at=unixepoch()",
                (user_id, json.dumps(profile.to_json())),
            ),
            ("DELETE FROM questionnaire WHERE user_id=?", (user_id,)),
        )

    async def profile(self, user_id: int) -> Profile | None:
        row = await self._database.fetch_one("SELECT data FROM profile WHERE user_id=?", (user_id,))
        return Profile.from_json(json.loads(row["data"])) if row else None

    async def forget(self, user_id: int) -> None:
        """Delete the member's answers, profile and past recommendations."""
        await self._database.write_all(
            *(
                (f"DELETE FROM {table} WHERE user_id=?", (user_id,))
                for table in ("questionnaire", "profile", "recommendation")
            )
        )
