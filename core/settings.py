"""Settings: config.toml, overridden by environment variables (MOODSTEM_LIMITS__UPLOAD_MB=20).

One class for each area. The Discord token is not among them: bot/token.py reads it where the bot logs in, so
that no settings dump can show it.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from core.errors import UserError
from core.folders import DataFolder, whoever
from core.logs import Format, Level
from core.spoken import LANGUAGES

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from core.audio.decode import DecodeLimits


class _Area(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class LibrarySettings(_Area):
    folders: list[Path] = []
    """Folders of music that /reindex and the nightly run keep up to date."""
    servers: dict[Path, Annotated[list[Annotated[int, Field(gt=0)]], Field(min_length=1)]] = {}
    """Folders that only these Discord servers (their ids) find; the others are for all."""
    recommend_uploads: bool = True
    """Whether uploaded tracks can be recommended to others."""
    uploads_join: Literal["at once", "when asked"] = "at once"
    """Whether they are, until their uploader takes them out, or only after their uploader adds them."""

    @model_validator(mode="after")
    def servers_name_folders(self) -> Self:
        """A folder that is for some must be indexed, and no wider one may show its files to others."""
        places = {_resolved(folder): folder for folder in self.folders}
        only = {_resolved(folder): set(ids) for folder, ids in self.servers.items()}
        for folder, name in zip(only, self.servers, strict=False):
            if folder not in places:
                raise ValueError(
                    f"[library.servers] names {name}, which is not one of [library] folders: add it there too"
                )
            for wider in places:
                if wider in folder.parents and not only.get(wider, {0}) <= only[folder]:
                    raise ValueError(
                        f"{name} lies inside {places[wider]}, which others find: take it out of that folder"
                    )
        return self

    def servers_of(self, folder: Path) -> list[int]:
        """Those that alone find a folder; none where it is for all."""
        only = {_resolved(one): ids for one, ids in self.servers.items()}
        return only.get(_resolved(folder), [])

    def folders_of(self, guild_id: int) -> list[Path]:
        """Those that a server finds."""
        return [folder for folder in self.folders if guild_id in (self.servers_of(folder) or [guild_id])]


def _resolved(folder: Path) -> Path:
    return folder.expanduser().resolve()


class LimitSettings(_Area):
    upload_mb: Annotated[float, Field(gt=0, le=500)] = 50
    duration_min: Annotated[float, Field(gt=0, le=240)] = 10
    queued_per_user: Annotated[int, Field(ge=1)] = 3
    """Uploads of one member that wait or run."""
    queued_per_server: Annotated[int, Field(ge=1)] = 50
    queued_in_all: Annotated[int, Field(ge=1)] = 200
    running_per_user: Annotated[int, Field(ge=1)] = 2
    """Jobs of one member that run at once, where several workers could take them."""
    daily_per_user: Annotated[int, Field(ge=0)] = 50
    """Uploads received in 24 hours, whatever became of them; 0 for any number."""
    daily_per_server: Annotated[int, Field(ge=0)] = 500


class JobSettings(_Area):
    separator: Annotated[str, Field(pattern=r"^\w[\w.-]{0,39}$")] = "auto"
    """'auto', 'htdemucs_6s', 'unet', 'none' or one that an installed package brings."""
    weights: Path | None = None
    """Folder with htdemucs_6s weights; without one those that demucs keeps, or the bundled separator."""
    genre_model: Path | None = None
    """A model of `moodstem train genre`, in place of the bundled one (core.genre.model); absolute, since a worker may
    run elsewhere."""
    threads: Annotated[int, Field(ge=1, le=256)] = 2
    """CPU threads of each worker."""
    engine: str = "local"
    """Where workers run: one of jobs.engines.registry, whose own keys `load_settings` adds to these."""
    workers: Annotated[int, Field(ge=0, le=10_000)] = 0
    """How many, each with the separator loaded. 0: one on this machine, as many as there is room for on a cluster."""
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    """Which GPU a worker uses: 'auto' takes one where there is one, 'cuda:1' the second one."""
    memory_mb: Annotated[float, Field(ge=512)] = 8192
    """A worker that needs more for one job is stopped."""
    time_min: Annotated[float, Field(gt=0)] = 240
    """A job that takes longer is stopped."""
    embedded_worker: bool = True
    """`moodstem run` and `moodstem try` start a worker process of their own."""
    schedule: bool = True
    """Nightly re-index, retention, backups."""

    @field_validator("genre_model")
    @classmethod
    def genre_model_is_absolute(cls, file: Path | None) -> Path | None:
        return file and _resolved(file)


class HTDemucsSettings(_Area):
    overlap: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    """Share of a segment that the next one covers again; demucs' own is 0.25. Part of the separator's version."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """'auto': bfloat16 where it is fast and changes stems by less than -30 dB."""


class RetentionSettings(_Area):
    uploads_days: Annotated[int, Field(ge=1)] = 30
    pictures_days: Annotated[int, Field(ge=1)] = 30
    stems_days: Annotated[int, Field(ge=1)] = 2
    """Stems that somebody asked for; they can be made again as long as the upload is there."""
    jobs_days: Annotated[int, Field(ge=1)] = 30
    disk_gb: Annotated[float, Field(gt=0)] = 10
    """What uploads, pictures, previews and stems may take together; the oldest of whoever holds most go first."""
    backups_gb: Annotated[float, Field(gt=0)] = 10
    """What backups may take; the newest always stays."""
    history_days: Annotated[int, Field(ge=1)] = 365
    """What was recommended to a member and what they listened to."""
    backups: Annotated[int, Field(ge=1)] = 7

    @model_validator(mode="after")
    def jobs_outlive_uploads(self) -> Self:
        """A job says whose an upload is: without it, erasing that member would miss the file."""
        if self.jobs_days < max(self.uploads_days, self.stems_days):
            raise ValueError("jobs_days must be at least uploads_days and stems_days")
        return self


class LogSettings(_Area):
    format: Format = "human"
    """`json` writes one object a line, for whatever collects them."""
    level: Level = "INFO"
    """Of `moodstem run` and `moodstem worker`; other commands log warnings, with -v more."""


class MonitorSettings(_Area):
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Serve /health and /metrics (Prometheus) here; nothing is served without a port."""
    host: str = "127.0.0.1"
    """Only another address of this machine or container; there is no password."""


class DiscordSettings(_Area):
    language: str = "en"
    """Of members whose Discord is set to a language that is not spoken here, where neither they nor their server chose."""
    operators: list[Annotated[int, Field(gt=0)]] = []
    """Ids of the users who run this bot, for whom alone are backups and what /admin stats says of the machine. None:
    whoever owns the application, or the admins and developers of its team."""
    test_guild: int | None = None
    """Sync the commands to this server only, at once (for development)."""
    shards: Annotated[int, Field(ge=1)] | Literal["auto"] = 1
    """Connections to Discord that share the servers; it demands more than one from 2,500 servers on. `auto` asks it."""
    shard_ids: list[Annotated[int, Field(ge=0)]] | None = None
    """Which of the connections this process holds, from 0, when several share them; all when not said."""
    loopback: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Talk to a stand-in for Discord on this port of 127.0.0.1 (for tests); never to another host."""

    @field_validator("language")
    @classmethod
    def language_is_spoken(cls, language: str) -> str:
        if language not in LANGUAGES:
            raise ValueError(f"it must be one of {', '.join(LANGUAGES)}")
        return language

    @model_validator(mode="after")
    def ids_are_within_count(self) -> Self:
        if self.shard_ids is not None and (
            self.shards == "auto" or not self.shard_ids or max(self.shard_ids) >= self.shards
        ):
            raise ValueError("shard_ids must name some of 0 .. shards - 1, and shards must be a number")
        return self


class Settings(BaseSettings, DataFolder):
    """Everything an operator can set."""

    model_config = SettingsConfigDict(
        env_prefix="MOODSTEM_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    data: Path = Path("data")
    library: LibrarySettings = LibrarySettings()
    limits: LimitSettings = LimitSettings()
    jobs: JobSettings = JobSettings()
    htdemucs: HTDemucsSettings = HTDemucsSettings()
    retention: RetentionSettings = RetentionSettings()
    discord: DiscordSettings = DiscordSettings()
    log: LogSettings = LogSettings()
    monitor: MonitorSettings = MonitorSettings()

    @property
    def decode_limits(self) -> DecodeLimits:
        """What one file may cost on the command line; uploads and folders have the same duration."""
        from core.audio.decode import DecodeLimits

        return DecodeLimits(max_seconds=self.limits.duration_min * 60)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, InitSettingsSource(settings_cls, _read_config())


def config_file() -> Path:
    """MOODSTEM_CONFIG, else config.toml in the current folder (which may be absent)."""
    return Path(os.environ.get("MOODSTEM_CONFIG", "config.toml"))


NOT_SETTINGS = re.compile("MOODSTEM_(CONFIG|CHILD_LOG|SOUNDFONT|SHARED|TEST.*)")
"""Environment variables that are Moodstem's, its laboratory's or its tests' without standing in config.toml."""


def _read_config() -> dict[str, Any]:
    """The document of config.toml; empty where there is none and none was named."""
    path = config_file()
    if path.is_dir():  # Docker makes one where a file to mount is missing
        raise UserError(f"{path} is a folder: remove it and put config.toml in its place.")
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        if "MOODSTEM_CONFIG" in os.environ:
            raise UserError(f"MOODSTEM_CONFIG names {path}, which is not there: correct it.") from None
        return {}
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): let {whoever()} read it.") from error
    except ValueError as error:  # of TOML or of the encoding
        raise UserError(f"{path} cannot be read ({error}): correct it.") from error


def _check_environment(settings: type[Settings]) -> None:
    """Raise UserError for variables that set nothing, and for lists and tables that are no JSON."""
    for variable in sorted(name for name in os.environ if name.startswith("MOODSTEM_")):
        area, _, field = variable.removeprefix("MOODSTEM_").lower().partition("__")
        if NOT_SETTINGS.fullmatch(variable) or (area == "data" and not field):
            continue
        model = settings.model_fields[area].annotation if area in settings.model_fields else None
        fields = getattr(model, "model_fields", {})
        if field not in fields:
            every = [
                f"MOODSTEM_{one}__{two}".upper()
                for one, model in settings.model_fields.items()
                for two in getattr(model.annotation, "model_fields", {})
            ]
            near = get_close_matches(variable, every, 1)
            raise UserError(
                f"{variable} sets nothing: {f'{near[0]} would; correct' if near else 'correct'} or remove it."
            )
        kind = get_origin(fields[field].annotation)
        if kind in (list, dict):
            example = '["/srv/music"]' if kind is list else '{"/srv/music": [123456789012345678]}'
            try:
                fine = isinstance(json.loads(os.environ[variable]), kind)
            except ValueError:
                fine = False
            if not fine:
                raise UserError(
                    f"{variable} must be a {kind.__name__} in JSON, such as {example}: correct it."
                )


def load_settings(data: Path | None = None, jobs: type[JobSettings] = JobSettings) -> Settings:
    """Return the settings, with `data` (from --data) before everything else; `jobs` are the keys of `[jobs]`.

    Raises UserError with one sentence that names every wrong entry.
    """
    settings = create_model("Settings", __base__=Settings, jobs=(jobs, jobs()))
    _check_environment(settings)
    try:
        return settings() if data is None else settings(data=data)
    except ValidationError as error:
        found = [_mistake(one) for one in error.errors()]
        raise UserError(
            f"{'; '.join(found)}: correct that in {config_file()} or in the environment."
        ) from error
    except SettingsError as error:
        raise UserError(f"The environment cannot be read ({error}): correct it.") from error


def _mistake(error: ErrorDetails) -> str:
    entry = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden" and entry.rpartition(".")[2] == "token":
        return f"{entry} does not belong into a file that others may read: run `moodstem setup` or put it into DISCORD_TOKEN"
    if error["type"] == "extra_forbidden":
        return f"There is no setting {entry}"
    return f"The setting {entry} is wrong ({error['msg'].removeprefix('Value error, ')})"
