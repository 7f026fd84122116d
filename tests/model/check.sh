#!/usr/bin/env bash
# Builds the model and runs it. The protocol must hold, and every mutation must fail (or be harmless, for a reason that
# README.md gives). Needs rustc; without it this says so and ends with 0.
# usage: check.sh [mutations|holds|big]; TRACE=1 prints the shortest counterexample, SECS= and STATES= bound a run
command -v rustc >/dev/null || {
  echo "SKIPPED: the model needs rustc, and there is none on this machine (https://www.rust-lang.org/tools/install)"
  exit 0
}
cd "$(dirname "$0")" || exit 1; B=${TMPDIR:-/tmp}/segue-model; mkdir -p "$B"
F="-O -C target-cpu=native -C codegen-units=1 --edition 2021"
for v in 21 31 22; do
  [ "$B/c$v" -nt claims.rs ] || { [ ${v:0:1} = 3 ] && export W3=1 || unset W3; [ ${v:1:1} = 2 ] && export P2=1 || unset P2; rustc $F claims.rs -o "$B/c$v" 2>/dev/null || exit 1; }
done # cWP: W workers, P partitions
rc=0
t() { want=$1; name=$2; v=$3; shift 3; [ ${v:0:1} = 3 ] && set -- nw=3 "$@"; [ ${v:1:1} = 2 ] && set -- np=2 "$@"
  o=$("$B/c$v" "$@" -q limit=${STATES:-60000000} secs=${SECS:-300} 2>&1)
  case "$want:$o" in holds:*"CUT"*": holds"*) r=ok-cut;; holds:*": holds"*|fails:*": "[A-Z]*) r=ok;; cycle:*"cycle false"*) r=ok;; *) r=UNEXPECTED; rc=1;; esac
  printf '%-10s %-5s %-24s c%s %s\n           %s\n' $r $want "$name" $v "$*" "$(echo "$o" | if [ -n "$TRACE" ]; then cat; else head -1; fi)"; }
if [ "${1:-mutations}" = mutations ]; then
# sentences of docs/protocol.md as they first stood, read literally where they left room
t fails prog_to_lso 21 n=2 rs=2 move=1 prog_lso only_output
t fails read_unchecked 21 n=3 rb=1 read_unchecked
t fails token_n_reused_after_gap 21 n=4 rb=2 n_reuse only_output
t fails token_reused_at_step5 21 n=3 rb=1 lost=1 kill=1 step5_same_token
t fails fresh_content_on_retry 21 n=4 lost=1 retry_fresh_content only_output
t fails idle_owner_never_looks 21 n=2 rb=1 no_probe
t fails zombie_after_rollback 21 n=2 move=1 rb=1 strict_zombie
# mutations
t fails no_fence 21 n=2 move=1 no_fence only_output
t fails fence_before_claim 31 n=1 move=1 fence_before_claim only_output
t fails fence_latest_only 31 n=1 move=2 fence_latest_only
t fails fence_one_id_of_ring 21 n=2 rs=2 move=1 fence_one_id only_output
t fails single_owner_key 31 n=1 move=2 single_key only_output
t fails tombstone_before_fence 31 n=1 move=2 tomb_before_fence only_output
t fails progress_before_fence 21 n=2 move=1 prog_before_fence only_output
t fails own_claim_not_awaited 21 n=2 move=1 no_wait_own_claim only_output
t fails lazy_init 21 n=2 rs=2 move=1 lazy_init only_output
t fails reinit_lifts_fence 21 n=2 move=1 reinit_when_fenced only_output
t fails epoch_in_redis 21 n=3 move=1 rb=1 epoch_redis
t fails begin_before_answer 21 n=2 rs=2 lost=1 kill=1 begin_early only_output
t fails reuse_after_repeat 21 n=2 lost=1 kill=1 reuse_after_repeat only_output
t fails republish_next_id 21 n=2 rs=2 lost=1 republish_next_slot only_output
t fails deliveries_not_awaited 21 n=2 refuse=1 no_await only_output
t fails tombstone_mid_publish 21 n=2 rs=2 move=1 release_early only_output
t fails tomb_unanswered+lso 21 n=2 rs=2 move=1 lost=1 tomb_unanswered prog_lso only_output
t fails same_ring_again+lso 21 n=2 rs=2 lost=1 same_ring_after_doubt prog_lso only_output
t fails ring_id_reuse+no_reread 21 n=1 move=3 reuse_ring no_owners_reread only_output
t fails checkpoint_ahead 21 n=2 ckpt_ahead
t fails gap_forgets_published 21 n=2 rb=1 gap_forgets_pub only_output
t fails cas_offset_greater 21 n=3 rb=1 cas_offset_gt
t fails cas_token_greater 21 n=3 rb=1 offset_gt_token
t fails cas_offset_equal 21 n=2 move=1 cas_offset_eq
t fails no_cas 21 n=2 move=1 no_cas
t fails meta_read_before_step5 21 n=3 move=1 meta_before_step5
# harmless alone, because a second barrier stands (README)
t holds no_owners_reread 21 n=2 move=1 no_owners_reread
t holds no_step5 21 n=2 move=1 no_step5
t holds tomb_unanswered 21 n=2 rs=2 move=1 lost=1 tomb_unanswered
t holds same_ring_again 21 n=2 rs=2 lost=1 same_ring_after_doubt
elif [ "$1" = holds ]; then
t holds "" 21 n=2 rs=2 move=1 kill=1
t holds "" 21 n=2 rs=2 move=1 lost=1
t holds "" 21 n=2 move=2
t holds "" 21 n=2 move=1 rb=1
t holds "" 21 n=4 rb=2 lost=1
t holds "" 22 n=1 rs=2 move=1 kill=1
t cycle acyclic 21 n=2 move=1 kill=1 cycle
t cycle acyclic 21 n=2 move=1 rb=1 cycle
else
t holds "" 21 n=3 move=1 kill=1
t holds "" 21 n=3 rb=2 lost=2 kill=1
t holds "" 21 n=1 rs=2 move=1 kill=1 lost=1
t holds "" 21 n=2 move=1 rb=1 empty=1
t holds "" 31 n=1 move=1 kill=1
t holds "" 31 n=1 move=2
t holds "" 22 n=1 move=2
t holds "" 22 n=1 rs=2 move=1 lost=1
fi
exit $rc
