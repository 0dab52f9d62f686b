------------------------------------------------- MODULE agreement -------------------------------------------------
(* The agreement models for TLC: C chains with one owner each, who signs B different first blocks; N validators of   *)
(* one vote, Z of them Byzantine; Q votes make a quorum. Each step is one action of the network, and a state holds   *)
(* what the explorer's states hold.                                                                                  *)
EXTENDS Naturals, FiniteSets
CONSTANTS N, Z, Q, C, B

Correct == 1 .. (N - Z)
Byzantine == (N - Z + 1) .. N
Chains == 1 .. C
Blocks == 1 .. B

VARIABLES proposed, certified, voted, executed, cast
vars == <<proposed, certified, voted, executed, cast>>

Init == /\ proposed = {}
        /\ certified = {}
        /\ voted = [v \in Correct, c \in Chains |-> 0]
        /\ executed = [v \in Correct, c \in Chains |-> 0]
        /\ cast = {}

Votes(c, b) == Cardinality({v \in Correct : voted[v, c] = b}) + Cardinality({z \in Byzantine : <<z, c, b>> \in cast})

Propose(c, b) == /\ <<c, b>> \notin proposed
                 /\ proposed' = proposed \cup {<<c, b>>}
                 /\ UNCHANGED <<certified, voted, executed, cast>>

Sign(z, c, b) == /\ <<z, c, b>> \notin cast
                 /\ cast' = cast \cup {<<z, c, b>>}
                 /\ UNCHANGED <<proposed, certified, voted, executed>>

Certify(c, b) == /\ <<c, b>> \notin certified
                 /\ Votes(c, b) >= Q
                 /\ certified' = certified \cup {<<c, b>>}
                 /\ UNCHANGED <<proposed, voted, executed, cast>>

Vote(v, c, b) == /\ <<c, b>> \in proposed
                 /\ voted[v, c] = 0
                 /\ executed[v, c] = 0
                 /\ voted' = [voted EXCEPT ![v, c] = b]
                 /\ UNCHANGED <<proposed, certified, executed, cast>>

Execute(v, c, b) == /\ <<c, b>> \in certified
                    /\ executed[v, c] = 0
                    /\ executed' = [executed EXCEPT ![v, c] = b]
                    /\ UNCHANGED <<proposed, certified, voted, cast>>

Next == \E c \in Chains, b \in Blocks :
            \/ Propose(c, b)
            \/ Certify(c, b)
            \/ \E z \in Byzantine : Sign(z, c, b)
            \/ \E v \in Correct : Vote(v, c, b) \/ Execute(v, c, b)

Spec == Init /\ [][Next]_vars

OneCertificate == \A c \in Chains, a, b \in Blocks : {<<c, a>>, <<c, b>>} \subseteq certified => a = b
====================================================================================================================
