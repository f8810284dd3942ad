CREATE EXTENSION IF NOT EXISTS sched;
SELECT sched.register_task_type('bench');
SELECT sched.create_job('queue', 'work', type => 'bench', timeout => '0');
SELECT sched.register_executor('bench', types => '{bench}', max_concurrent => 1000000);
