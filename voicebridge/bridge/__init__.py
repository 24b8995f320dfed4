"""The shell: the only place where the telephone and the model meet."""
