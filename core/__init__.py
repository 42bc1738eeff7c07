"""The domain: audio, stems, moods, recommendation and the library. Knows neither Discord nor the queue."""
