SELECT (SELECT count(*) FROM sched._task WHERE scheduled_at <= now()) - (SELECT count(*) FROM sched._outcome WHERE final)
