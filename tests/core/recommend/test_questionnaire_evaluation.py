from __future__ import annotations

import json

from core.recommend.evaluate import evaluate_questionnaire


def test_seven_questions_come_close_to_forty_and_beat_a_random_order() -> None:
    found = evaluate_questionnaire(listeners=60)
    assert found["questions"] <= 7
    assert found["correlation"] > 0.83 and found["correlation"] > found["random_order"]["correlation"]
    assert found["overlap_moods"] > 0.7 and found["overlap_moods"] > found["random_order"]["overlap_moods"]
    assert 0 < found["overlap"] < found["overlap_moods"]
    assert found == evaluate_questionnaire(listeners=60)
    json.dumps(found, allow_nan=False)
