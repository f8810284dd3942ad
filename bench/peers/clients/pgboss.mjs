// pg-boss by its own client: fetch and complete in batches from several loops;
// prints tasks per second.
import { PgBoss } from 'pg-boss';

const tasks = Number(process.argv[2]);
const batch = Number(process.argv[3]);
const concurrency = Number(process.argv[4]);

const boss = new PgBoss({ host: process.env.PGHOST, database: process.env.PGDATABASE,
	user: process.env.PGUSER, max: concurrency + 2, supervise: false, schedule: false });
boss.on('error', (error) => console.error(error));
await boss.start();
await boss.createQueue('bench');
for (let i = 0; i < tasks; i += 1000)
	await boss.insert('bench', Array.from({ length: Math.min(1000, tasks - i) }, (_, n) => ({ data: { n: i + n } })));
let done = 0;
const begun = process.hrtime.bigint();
await Promise.all(Array.from({ length: concurrency }, async () => {
	for (;;) {
		const jobs = await boss.fetch('bench', { batchSize: batch });
		if (!jobs || jobs.length === 0)
			return;
		await boss.complete('bench', jobs.map((job) => job.id));
		done += jobs.length;
	}
}));
const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
if (done !== tasks)
	console.error(`${done} of ${tasks} tasks were done`);
console.log(Math.round(done / seconds));
process.exit(0);
