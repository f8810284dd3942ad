SELECT (SELECT count(*) FROM sched._task) - (SELECT count(*) FROM sched._outcome WHERE final)
