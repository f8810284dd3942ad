// graphile-worker by its own client: works off TASKS tasks, with its local queue
// and batched completion; prints tasks per second.
const { run, makeWorkerUtils } = require('graphile-worker');
const { Pool } = require('pg');

const tasks = Number(process.argv[2]);
const batch = Number(process.argv[3]);
const concurrency = Number(process.argv[4]);

async function main() {
	const pgPool = new Pool({ max: concurrency + 4 });
	const utils = await makeWorkerUtils({ pgPool });
	await utils.migrate();
	await pgPool.query(
		"SELECT graphile_worker.add_jobs(array_agg(json_populate_record(NULL::graphile_worker.job_spec, json_build_object('identifier', 'nothing', 'payload', json_build_object('n', i), 'max_attempts', 25, 'priority', 0)))) FROM generate_series(1, $1::int) AS i", [tasks]);
	let done = 0;
	let finished;
	const all = new Promise((resolve) => { finished = resolve; });
	const begun = process.hrtime.bigint();
	const runner = await run({
		pgPool,
		concurrentJobs: concurrency,
		noHandleSignals: true,
		logger: new (require('graphile-worker').Logger)(() => () => {}),
		preset: {
			worker: {
				concurrentJobs: concurrency,
				localQueue: batch > 1 ? { size: batch } : undefined,
				completeJobBatchDelay: batch > 1 ? 0 : -1,
				failJobBatchDelay: batch > 1 ? 0 : -1,
			},
		},
		taskList: { nothing: async () => { if (++done === tasks) finished(); } },
	});
	await all;
	const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
	console.log(Math.round(tasks / seconds));
	await runner.stop();
	await utils.release();
	await pgPool.end();
}
main().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
