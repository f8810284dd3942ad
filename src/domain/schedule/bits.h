/*-------------------------------------------------------------------------
 *
 * bits.h
 *	  Sets of small numbers as 64-bit words.
 *
 * The server's pg_bitutils.h would need libpgport in the stand-alone tests.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_BITS_H
#define SCHED_BITS_H

#define SCHED_BIT64(n)	(UINT64CONST(1) << (n))

/* Bits 0 .. n - 1, for n from 0 to 64 */
static inline uint64
sched_bits_below(int n)
{
	return n >= 64 ? ~UINT64CONST(0) : SCHED_BIT64(n) - 1;
}

static inline int
sched_bits_count(uint64 word)
{
#ifdef __GNUC__
	return __builtin_popcountll(word);
#else
	int			n = 0;

	for (; word != 0; word &= word - 1)
		n++;
	return n;
#endif
}

/* The number of the lowest and the highest bit; word must not be 0. */
static inline int
sched_bits_lowest(uint64 word)
{
#ifdef __GNUC__
	return __builtin_ctzll(word);
#else
	int			n = 0;

	for (; (word & 1) == 0; word >>= 1)
		n++;
	return n;
#endif
}

static inline int
sched_bits_highest(uint64 word)
{
#ifdef __GNUC__
	return 63 - __builtin_clzll(word);
#else
	int			n = 0;

	while ((word >>= 1) != 0)
		n++;
	return n;
#endif
}

/* The number of the n-th (from 0) bit that is set; there must be as many. */
static inline int
sched_bits_select(uint64 word, int n)
{
	while (n-- > 0)
		word &= word - 1;
	return sched_bits_lowest(word);
}

#endif							/* SCHED_BITS_H */
