"""Every card that there is and what to make it of: `calls` names each function with its arguments, `cards` makes them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from itertools import product
from typing import Any

from bot.features.similar.cards import SimilarQuestion
from bot.words.i18n import tr
from bot.words.moods import translated
from bot.words.names import short
from bot.words.reasons import reason_text
from core.audio.types import STEMS
from core.errors import fact
from core.library.audit import AuditEntry
from core.library.guild_limits import LIMITS
from core.library.history import Moment
from core.library.journeys import JourneyQuestion, Made, Stop
from core.library.matching import Match
from core.library.parties import Guest, Heard, Opened
from core.library.playlist_files import Item
from core.library.playlists import LONGEST_NAME, Entry, Playlist
from core.library.query import Key, parse
from core.library.recommendations import Pick, Reason, RecommendationQuery, Recommended
from core.library.rule_weights import RuleChange
from core.library.search import Filters, Found, Hit
from core.library.tracks import Track
from core.moods.aim import AIMS
from core.moods.profile import MOODS, PREFERENCES, Profile
from core.moods.questionnaire import AT_ONCE, questions
from core.recommend.picks import AGAINST, FOR
from core.recommend.prominence import Prominent
from core.recommend.similar import Similar
from core.recommend.steer import MOST, steers
from core.recommend.table import load_rules, load_steers, occasions
from core.recommend.taste_term import KINDS
from core.recommend.weight_preview import Outcome, Place, samples
from core.settings import LimitSettings, RetentionSettings
from core.track_analysis import TrackAnalysis
from jobs.kinds import analyse, index, renew, stems
from jobs.model import Job
from tests import make

BIG = 2**62


def track(words: str) -> Track:
    return Track(BIG, "f" * 64, "/m/x.mp3", "upload", words, words, words, 86_399.0, words)


def job_spec(kind: str, words: str) -> dict[str, Any]:
    specs = {
        "analyse": analyse.Spec("f", words),
        "index": index.Spec(f"/m/{words}"),
        "renew": renew.Spec(),
        "stems": stems.Spec(BIG, words, BIG),
    }
    return asdict(specs[kind])


def job(words: str, state: str = "running", kind: str = "analyse", **more: Any) -> Job:
    fields: dict[str, Any] = {
        "id": BIG, "kind": kind, "spec": job_spec(kind, words), "user_id": BIG,
        "guild_id": BIG, "priority": 1, "cost": 1.0, "state": state, "stage": "separate", "progress": 0.999,
        "position": 9999, "eta_s": 359_999.0, "attempt": 3, "error_code": "input", "error": fact("plain", sentence=words), "result": {},
        "cancel_requested": False, "created_at": 1e9, "started_at": 1e9, "finished_at": 1e9,
    }  # fmt: skip
    return Job(**{**fields, **more})


def longest_analysis(words: str) -> TrackAnalysis:
    facts = {stem: {"activity": 0.99} for stem in STEMS}
    return make.analysis(
        content_hash="f" * 64, duration_s=86_399.0, separator="unet", tempo_bpm=239.9, key="C#", mode="minor",
        instruments=facts, notes=[fact("plain", sentence=words)] * 5,
    )  # fmt: skip


def similar(words: str) -> list[Similar]:
    said = [fact("plain", sentence="n" * 300)] * 4  # measurements in words, or genres: no titles
    return [Similar(replace(track(words), id=BIG + place), -0.99, said) for place in range(5)]


def prominent(words: str) -> list[Prominent]:
    return [
        Prominent(replace(track(words), id=BIG + place), 0.99, 0.9, 0.9, "other", True) for place in range(5)
    ]


def reasons(words: str) -> list[Reason]:
    """The longest sentences of rules, one for each measurement, and those of taste, which name a title."""

    def of_rule(rule: Any) -> Reason:
        return Reason(
            rule.id, rule.mood, rule.occasion, rule.preference, rule.source, rule.descriptor, 12345.678, "LUFS", 0.9,
            -0.05, fact("rule"), rule.citation, rule.steer,
        )  # fmt: skip

    every = sorted(
        (of_rule(rule) for rule in (*load_rules(), *load_steers())), key=lambda one: -len(reason_text(one))
    )
    longest = list({(one.source, one.descriptor): one for one in reversed(every)}.values())[::-1]
    taste = [
        Reason(f"taste.{place}", None, None, None, "mix", "sound", 1.0, "cosine", None, 0.1, fact(f"{which}-{kind}", title=words, weight=0.55), "")
        for place, (which, kind) in enumerate(product(("like", "unlike", "it"), ("liked", "disliked", *KINDS)))
    ]  # fmt: skip
    mixed = [one for pair in zip(taste, longest, strict=False) for one in pair]
    return sorted(mixed, key=lambda one: -len(reason_text(one).encode()))


def longest_picks(words: str, count: int = 20) -> list[Pick]:
    every = reasons(words)
    return [
        Pick(
            BIG + place, words, words, words, -0.555,
            [replace(one, contribution=0.05) for one in [*every[place:], *every][:FOR]],
            [replace(one, contribution=-0.05) for one in every[FOR : FOR + AGAINST]], list(STEMS),
            dict.fromkeys([*MOODS, *occasions()[:3], "freshness", "diversity"], -0.1), "htdemucs_6s",
        )
        for place in range(count)
    ]  # fmt: skip


def profile() -> Profile:
    return Profile(dict.fromkeys(MOODS, 0.9), preferences=dict.fromkeys(PREFERENCES, 1.0))


def recommended(words: str) -> Recommended:
    asked = RecommendationQuery(
        profile(), "celebration", "settle", tuple(sorted(steers(), key=len)[-MOST:]), 2**31 - 1, 20
    )
    move = {
        "change": "less vocals, more of everything else",
        "descriptor": "tempo",
        "before": 1118.0,
        "after": 1084.0,
    }
    said = fact(
        "changed", tap=fact("less-like", title=words), fresh=20, all=20, reordered=True, moves=[move] * 3
    )
    return Recommended(BIG, 1, longest_picks(words), asked, 1, BIG, said)


def journey(words: str) -> Made:
    stops = [Stop(pick, 0.55, 0.55) for pick in longest_picks(words, 40)]
    return Made(
        BIG,
        1,
        JourneyQuestion(profile(), "joyful_activation", 40),
        stops,
        {"seconds": 86_399.0, "ends": [["sadness", "tenderness"], ["joyful_activation"]]},
    )


def party(words: str) -> Opened:
    tracks = [{"track_id": BIG + n, "title": words, "artist": words, "genre": words} for n in range(25)]
    said = reasons(words)[:3]
    guests = [Guest(BIG + number, 0.99, [Heard(-0.99, said) for _ in tracks]) for number in range(20)]
    return Opened(BIG, BIG, "celebration", 25, tracks, guests)


def few(opened: Opened) -> Opened:
    return replace(opened, guests=opened.guests[:8])


def playlist(words: str) -> Playlist:
    return Playlist(BIG, BIG, words[:LONGEST_NAME], True, 500, 999_999.0)


def entries(words: str, count: int = 500) -> list[Entry]:
    return [
        Entry(
            BIG + place,
            BIG + place if place % 2 else None,
            "f" * 64,
            words,
            words,
            words,
            86_399.0,
            None,
            True,
        )
        for place in range(count)
    ]


def hits(words: str) -> Found:
    met = {
        term.meaning: 0.99
        for term in parse("calm powerful nostalgic piano without vocals").meant
        if term.meaning
    }
    found = [
        Hit(replace(track(words), id=BIG + n, genre=words if n % 2 else None), 239.9, Key("C#", "minor"), "unet",
            dict.fromkeys(STEMS, 0.99), 1.0, met, ("Experimental Electronic", "Old-Time Historic"))
        for n in range(5)
    ]  # fmt: skip
    return Found(found, 999_999, "beginnings")


def asked(words: str) -> Any:
    from bot.features.library.cards import Asked

    query = parse(f"calm powerful nostalgic piano without vocals {words}"[:300])
    return Asked(words, query, Filters(words, 40.0, 240.0, Key("C#", "minor"), "vocals"))


def moments(words: str) -> list[Moment]:
    kinds = ("played", "recommended")
    return [
        Moment(kinds[n % 2], BIG + n, BIG, [words] * (3 if n % 2 else 1), words, "celebration", 20)
        for n in range(8)
    ]


def told(words: str) -> dict[str, Any]:
    """A map of the library."""
    return {
        "count": 999_999, "picked": list(range(10)), "picked_titles": [words] * 10, "points": [[0.5, -0.5]] * 10,
        "directions": [[mood, 0.5, -0.5, 0.9, mood] for mood in MOODS],
    }  # fmt: skip


def rule_calls(words: str) -> dict[str, list[tuple[Any, ...]]]:
    from bot.features.rules.cards import PAGE, topics

    every = {rule.id: 9.99 for rule in load_rules()}
    wordy = max(load_rules(), key=lambda rule: len(rule.id))
    outcomes = [
        Outcome(one, [Place(track(words), n, None) for n in range(1, 11)], [track(words)] * 10)
        for one in samples(wordy)
    ]
    log = [RuleChange(BIG + n, BIG, wordy.id, 1.23, 9.99, 10**9, 5, True) for n in range(PAGE)]
    known = {rule.id: rule for rule in load_rules()}
    by_topic = [[rule for rule in load_rules() if rule.topic == topic] for topic in topics()]
    return {
        "bot.features.rules.cards:rules_card": [
            (rules, every, rules[0].topic, "all", page)
            for rules in by_topic if rules for page in range(-(-len(rules) // PAGE))
        ],
        "bot.features.rules.cards:rule_card": [(rule, every, "✅", log[0]) for rule in load_rules()],
        "bot.features.rules.cards:preview_card": [(wordy, every, {**every, wordy.id: 0.0}, "9.99", outcomes, 0)],
        "bot.features.rules.cards:changes_card": [([], known, 0, {"more": False, "undoable": None}), (log, known, 3, {"more": True, "undoable": log[0]})],
        "bot.features.rules.cards:number_form": [(rule, 9.99) for rule in load_rules()],
    }  # fmt: skip


def calls(words: str, language: str) -> dict[str, list[tuple[Any, ...]]]:
    """{function: arguments of each call}; a dict at the end holds named ones."""
    from bot.condition import Condition
    from bot.features.admin.cards import host_lines

    kept = RetentionSettings()
    results = {"tracks": dict.fromkeys(("total", "folder", "upload", "sample"), 999_999)}
    counted = dict.fromkeys(("queued", "running", "done", "failed", "cancelled"), 999_999)
    counts = dict.fromkeys(
        ("added", "updated", "renewed", "moved", "removed", "duplicates", "unchanged"), 999999
    )
    indexed = {"folder": "/m", **counts}
    archive = asdict(stems.Result(BIG, BIG, "x", "unet", {stem: {"flac": 9} for stem in STEMS}))
    states = ("queued", "running", "done", "failed", "cancelled")
    ranking = [f"“{short(words)}” ranks above it (+0.50): there it is louder, here not. " * 2] * 3
    missing = [Match(Item(title=words, artist=words), None) for _ in range(500)]
    ways = [
        SimilarQuestion(BIG, by, metric, STEMS, practise)
        for by in ("sound", "instruments", "latent") for metric in ("cosine", "euclidean") for practise in ("", "other")
    ]  # fmt: skip
    return {
        "bot.features.help.cards:help_card": [()],
        "bot.features.upload.cards:jobs_card": [([],), *[([replace(job(words, state), id=BIG + n) for n in range(5)], True) for state in states]],
        "bot.features.admin.cards:server_jobs_card": [([], counted), ([replace(job(words, state), id=BIG + n) for n in range(10) for state in ("queued",)], counted)],
        "bot.features.admin.cards:stats_card": [(results["tracks"], counted, host_lines(Condition(BIG, BIG, last, workers, [words], 9, 9, None, []), "htdemucs_6s", "auto")) for workers in (0, 99) for last in (None, BIG)],
        "bot.features.admin.cards:limits_card": [(LimitSettings(), set(LIMITS))],
        "bot.features.admin.cards:log_card": [([], 0, False), ([AuditEntry(BIG, "cancelled a job of a member", fact("plain", sentence=f"{words}: {words}"), 10**9)] * 10, 1, True)],
        "bot.widgets:note_card": [(tr("Deleted **{name}**. The tracks stay in the library.", name=words[:80]),)],
        "bot.widgets:problem_card": [(words * 10,)],
        "bot.features.library.cards:details_card": [(track(words), ["profile", "contrast", "chroma"], True), (track(words), ["profile"], False)],
        "bot.features.upload.cards:job_card": [(job(words, state, kind),) for state in states for kind in ("analyse", "index", "renew", "stems")],
        "bot.features.upload.cards:result_card": [(job(words, "done"), replace(track(words), id=1), longest_analysis(words), similar(words)[:3], {"picture": True, "listed": listed}) for listed in (None, True, False)],
        "bot.features.upload.cards:index_card": [(job(words, "done", "index", result={**indexed, "failed": [[words, fact("plain", sentence=words)]] * 99}),)],
        "bot.features.journey.cards:where_card": [(action, ("joyful_activation", 40, 240), {"known": known}) for action in ("jr_to", "jr_from") for known in (True, False)],
        "bot.features.journey.cards:journey_card": [(journey(words), page, {"picture": True}) for page in (0, 7)],
        "bot.features.journey.cards:why_card": [(journey(words), place) for place in (0, 39)],
        "bot.features.library.cards:hits_card": [(asked(words), hits(words), BIG, 199_998)],
        "bot.features.library.cards:nothing_card": [(asked(words),)],
        "bot.features.library.cards:track_card": [(track(words), hits(words).hits[0], [(mood, 0.99) for mood in MOODS], {"picture": True})],
        "bot.features.library.cards:history_card": [(moments(words), 999_999, kind, 3) for kind in ("", "played", "recommended")],
        "bot.features.party.cards:waiting_card": [(party(words),)],
        "bot.features.party.cards:party_card": [(party(words), page) for page in (0, 4)],
        "bot.features.party.cards:why_card": [(party(words), 0), (few(party(words)), 24)],
        "bot.features.recommend.cards:picks_card": [(recommended(words), page, {"steers": steers(), "shared": shared}) for page in (0, 3) for shared in (True, False)],
        "bot.features.recommend.cards:no_mood_card": [("celebration", "settle", 20)],
        "bot.features.recommend.cards:why_card": [(recommended(words), place, ranking, {"own": own}) for place in (0, 19) for own in (True, False)],
        "bot.features.recommend.cards:similar_card": [(track(words), []), (track(words), similar(words))],
        "bot.features.playlists.cards:lists_card": [([], 0), ([replace(playlist(words), id=BIG + n) for n in range(100)], 5)],
        "bot.features.playlists.cards:playlist_card": [(playlist(words), found, page, {"own": own, "note": tr("{title} is number {now} now.", title=words[:80], now=500)}) for found in ([], entries(words)) for page in (0, 50) for own in (True, False)],
        "bot.features.playlists.cards:edit_card": [(playlist(words), found, 1) for found in ([], entries(words))],
        "bot.features.playlists.cards:shared_card": [(playlist(words), found) for found in ([], entries(words))],
        "bot.features.playlists.cards:choose_card": [(track(words), [replace(playlist(words), id=BIG + n) for n in range(100)])],
        "bot.features.playlists.cards:import_card": [(made, words, missing, 999_999) for made in (None, playlist(words))],
        "bot.features.playlists.cards:player_buttons": [(playlist(words), 499, 500, BIG)],
        "bot.features.playlists.cards:delete_card": [(playlist(words),)],
        "bot.features.privacy.cards:privacy_card": [(kept,)],
        "bot.features.privacy.cards:erase_card": [()],
        "bot.consent:consent_card": [(kept, BIG, "c" * 62)],
        "bot.features.similar.cards:answer_card": [(way, track(words), similar(words), prominent(words)) for way in ways] + [(replace(ways[1], track_id=0), None, [], prominent(words))],
        "bot.features.similar.cards:comparison_card": [(track(words), replace(track(words), id=1), similar(words)[0].reasons, False)],
        "bot.features.upload.cards:stems_card": [(job(words, "done", "stems", result=archive), longest_analysis(words), until) for until in (None, 1e9)],
        "bot.features.mood.cards:mood_form": [(questions()[:AT_ONCE],)],
        "bot.features.mood.cards:forgotten_card": [()],
        "bot.features.mood.cards:question_card": [(one, answered, 40, tr("Before, you said “{answer}”.", answer=translated(one.answers)[-1])) for one in questions() for answered in (0, 39)],
        "bot.features.mood.cards:profile_card": [(profile(), aim) for aim in AIMS] + [(Profile(),)],
        "bot.features.upload.notices:ended_card": [(job(words, state), {"mention": True}) for state in ("done", "failed")],
        "bot.features.library.map:map_card": [(told(words),)],
        **rule_calls(words),
    }  # fmt: skip


def cards(words: str, language: str) -> Iterator[tuple[str, Any]]:
    """Every card, form and row of buttons that the table asks for, with the name of what makes it."""
    for name, every in calls(words, language).items():
        module, _, function = name.partition(":")
        make: Callable[..., Any] = getattr(importlib.import_module(module), function)
        for arguments in every:
            named = (
                arguments[-1]
                if arguments and isinstance(arguments[-1], dict) and _is_named(arguments[-1])
                else {}
            )
            yield name, make(*(arguments[:-1] if named else arguments), **named)


def _is_named(last: dict[Any, Any]) -> bool:
    return set(last) <= {
        "picture",
        "listed",
        "known",
        "steers",
        "shared",
        "own",
        "note",
        "mention",
        "more",
        "undoable",
    }
