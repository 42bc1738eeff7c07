"""What jobs do: each kind has a module here, with the runner's side and, if it computes, the worker's."""
