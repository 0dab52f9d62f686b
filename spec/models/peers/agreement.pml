/* The agreement models for SPIN: C chains with one owner each, who signs B different first blocks; N validators of one
   vote, Z of them Byzantine; Q votes make a quorum. One process per validator and one for whoever gathers votes; every
   step is one action of the network. What is counted is counted in the same state, so states are those of the explorer. */

#ifndef N
#define N 4
#define Z 1
#define Q 3
#define C 1
#define B 2
#endif

#define K(c, b) ((c) * B + (b))
#define M(c)    (v * C + (c))
#define F(c, b) (z * C * B + K(c, b))

bit  proposed[C * B];
bit  certified[C * B];
byte votes[C * B];              /* how many, of whomever */
byte voted[(N - Z) * C];        /* by a correct validator on a chain: 0, or the number of the block */
byte executed[(N - Z) * C];
bit  cast[(Z + 1) * C * B];     /* by a Byzantine validator on a block */

#if B == 2
#define ONE(c) (certified[K(c, 0)] + certified[K(c, 1)] <= 1)
#define EACH(act, c) act(c, 0) act(c, 1)
#else
#define ONE(c) (certified[K(c, 0)] + certified[K(c, 1)] + certified[K(c, 2)] <= 1)
#define EACH(act, c) act(c, 0) act(c, 1) act(c, 2)
#endif
#if C == 1
#define ALL(act) EACH(act, 0)
#else
#define ALL(act) EACH(act, 0) EACH(act, 1)
#endif

#define VALIDATE(c, b) \
  :: d_step { proposed[K(c, b)] && voted[M(c)] == 0 && executed[M(c)] == 0 -> voted[M(c)] = (b) + 1; votes[K(c, b)]++ } \
  :: d_step { certified[K(c, b)] && executed[M(c)] == 0 -> executed[M(c)] = (b) + 1 }

#define SIGN(c, b) \
  :: d_step { !cast[F(c, b)] -> cast[F(c, b)] = 1; votes[K(c, b)]++ }

#define SEND(c, b) \
  :: d_step { !proposed[K(c, b)] -> proposed[K(c, b)] = 1 } \
  :: d_step { !certified[K(c, b)] && votes[K(c, b)] >= Q -> certified[K(c, b)] = 1; assert(ONE(c)) }

active [N - Z] proctype Correct() {
  byte v = _pid;
end: do ALL(VALIDATE) od
}

#if Z > 0
active [Z] proctype Byzantine() {
  byte z = _pid - (N - Z);
end: do ALL(SIGN) od
}
#endif

active proctype Anybody() {
end: do ALL(SEND) od
}
