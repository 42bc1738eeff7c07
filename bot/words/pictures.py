"""The words of pictures, in the reader's language: core.pictures gets them by name, since it speaks none."""

from __future__ import annotations

from bot.words.glossary import label
from bot.words.i18n import inside, number, percent, tr, trn
from bot.words.moods import mood_adjective
from bot.words.names import key_name, note_sign, stem_name
from core.audio.types import KEYS, STEMS
from core.audio.vocabulary import compared, scales
from core.moods.profile import MOODS
from core.track_analysis import TrackAnalysis

Words = dict[str, str]


def analysis_words() -> Words:
    """The stems, the keys ('D minor'), and how a percentage is written."""
    return {
        **{stem: inside(stem_name(stem)) for stem in STEMS},
        **{f"{key} {mode}": key_name(key, mode) for key in KEYS for mode in ("minor", "major")},
        "percent": percent(0).replace("0", "{}"),
    }


def details_words(analysis: TrackAnalysis, tracks: int) -> Words:
    """Those of one analysis beside so many `tracks`."""
    found = analysis.musical_contrast
    return {
        **analysis_words(),
        **{key: note_sign(key) for key in KEYS},
        **{f"label.{name}": label(name) for name in compared()},
        **{
            f"{part}.{name}": tr(words)
            for name, scale in scales().items()
            for part, words in (("scale", scale.label), ("low", scale.low), ("high", scale.high))
        },
        "compared": trn(
            "compared with {count:,} track: 0 lowest, 50 typical, 100 highest",
            "compared with {count:,} tracks: 0 lowest, 50 typical, 100 highest",
            tracks,
        ),
        "track": tr("track"),
        "regions": tr(
            "{count:,.0f} regions a minute  ·  {share:.0%} dark",
            count=found["components_per_minute"],
            share=found["dark_ratio"],
        )
        if found
        else "",
        "spectrogram": tr("spectrogram"),
        "sound": tr("what counts as sound"),
    }


def comparison_words(similarity: float) -> Words:
    """Those of two tracks beside each other."""
    return {
        **analysis_words(),
        "head": tr(
            "How alike they sound: {similarity}", similarity=number(similarity, "+.2f").replace("-", "\u2212")
        ),
        "apart": tr("apart"),
        "alike": tr("alike"),
        "gone": tr("its audio is no longer kept"),
    }


def journey_words(start: str, goal: str) -> Words:
    """Those of a journey between two ends, which are words already."""
    return {
        "title": tr("From {start} to {goal}", start=start, goal=goal),
        "key": tr("dots: the tracks · dashed: what was aimed at"),
        "least": tr("least"),
        "half": tr("half"),
        "most": tr("most"),
        "valence": tr("valence: unpleasant → pleasant"),
        "arousal": tr("arousal: calm → excited"),
        "tense": tr("tense"),
        "lively": tr("lively"),
        "sad": tr("sad"),
        "calm": tr("calm"),
        **{mood: mood_adjective(mood) for mood in MOODS},
    }


def map_words(shown: int, count: int) -> Words:
    """Those of the map of the library, of which `shown` of `count` tracks are drawn."""
    return {
        "title": tr("The library as a map"),
        "key": tr("{shown} of {count} tracks drawn", shown=shown, count=count)
        if shown < count
        else trn(
            "{count} track · alike is near · arrows: moods",
            "{count} tracks · alike is near · arrows: moods",
            count,
        ),
        "picked": tr("recommended last"),
    }
