// sched from a client of the same kind: claim and complete in batches from several
// loops over node's pg; prints tasks per second.
const { Pool } = require('pg');

const tasks = Number(process.argv[2]);
const batch = Number(process.argv[3]);
const concurrency = Number(process.argv[4]);

async function main() {
	const pool = new Pool({ max: concurrency });
	await pool.query(
		"SELECT count(*) FROM sched.schedule_tasks('queue', ARRAY(SELECT jsonb_build_object('n', i) FROM generate_series(1, $1::int) AS i))", [tasks]);
	let done = 0;
	const begun = process.hrtime.bigint();
	await Promise.all(Array.from({ length: concurrency }, async () => {
		const client = await pool.connect();
		for (;;) {
			const { rows } = await client.query({ name: 'claim',
				text: "SELECT task_id, attempt, parameters FROM sched.claim_tasks('bench', $1, start => true)", values: [batch] });
			if (rows.length === 0)
				break;
			await client.query({ name: 'complete',
				text: 'SELECT count(*) FILTER (WHERE accepted) FROM sched.complete_tasks($1, $2)',
				values: [rows.map((row) => row.task_id), rows.map((row) => row.attempt)] });
			done += rows.length;
		}
		client.release();
	}));
	const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
	if (done < tasks)
		console.error(`${done} of ${tasks} tasks were done`);
	console.log(Math.round(done / seconds));
	await pool.end();
}
main().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
