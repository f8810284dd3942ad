SELECT count(*) FROM river_job WHERE state = 'available'
