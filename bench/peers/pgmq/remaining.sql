SELECT count(*) FROM pgmq_q WHERE vt <= clock_timestamp()
