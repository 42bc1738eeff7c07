"""Source separation: one mix into six stems. `registry` finds and loads separators; `base` says what one must do."""
