/* sched: install script.  Made by make from sql/install/NN_*.sql, in order. */
\echo Use "CREATE EXTENSION sched" to load this file. \quit
