SELECT count(*) FROM skip_locked_task WHERE state = 0
