/* A changed calendar moves the fires of every job that uses it. */
CREATE TRIGGER calendar_changed AFTER INSERT OR UPDATE OR DELETE ON sched._calendar
	FOR EACH STATEMENT EXECUTE FUNCTION sched._calendar_changed();
ALTER TABLE sched._calendar ENABLE ALWAYS TRIGGER calendar_changed;
