/*-------------------------------------------------------------------------
 *
 * queue_order.h
 *	  The order of ready tasks and of timers; for the parts of the queue only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_QUEUE_ORDER_H
#define SCHED_QUEUE_ORDER_H

#include "infrastructure/memory/queue.h"
#include "infrastructure/settings.h"

static inline int
compare_order(const QTask *a, const QTask *b)
{
	if (a->key1 != b->key1)
		return a->key1 < b->key1 ? 1 : -1;
	if (a->key2 != b->key2)
		return a->key2 < b->key2 ? 1 : -1;
	return a->task_id < b->task_id ? 1 : a->task_id > b->task_id ? -1 : 0;
}

static inline int
compare_ready(const pairingheap_node *a, const pairingheap_node *b, void *arg)
{
	return compare_order(pairingheap_const_container(QTask, ready_node, a),
						 pairingheap_const_container(QTask, ready_node, b));
}

static inline int
compare_timer(const pairingheap_node *a, const pairingheap_node *b, void *arg)
{
	TimestampTz ta = pairingheap_const_container(QTask, timer_node, a)->timer_at;
	TimestampTz tb = pairingheap_const_container(QTask, timer_node, b)->timer_at;

	return ta < tb ? 1 : ta > tb ? -1 : 0;
}

static inline void
init_heap(pairingheap *heap, pairingheap_comparator compare)
{
	heap->ph_compare = compare;
	heap->ph_arg = NULL;
	heap->ph_root = NULL;
}

static inline QTask *
heap_first(pairingheap *heap)
{
	return pairingheap_container(QTask, ready_node, pairingheap_first(heap));
}

/*
 * The order among ready tasks, fixed when a task becomes ready: a step of
 * priority weighs as much as having waited one ageing interval longer; without
 * ageing, priority alone decides and then the time.
 */
static inline void
set_order(QTask *task)
{
	int64		step = (int64) sched_priority_aging_interval *
		SCHED_USEC_PER_SEC;

	if (step > 0)
	{
		task->key1 = task->queued_at - task->priority * step;
		task->key2 = 0;
	}
	else
	{
		task->key1 = -task->priority;
		task->key2 = task->queued_at;
	}
}

#endif							/* SCHED_QUEUE_ORDER_H */
