//! Explicit-state model of docs/protocol.md (claims, fencing, publishing, checkpoints). See README.md.
//! Breadth-first, so the first counterexample is a shortest one. One file, no dependencies: rustc -O claims.rs
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hash, Hasher};

const W: usize = if option_env!("W3").is_some() { 3 } else { 2 }; // worker slots
const P: usize = if option_env!("P2").is_some() { 2 } else { 1 }; // input partitions
const NO: u8 = 255;
const MAXRINGS: u8 = 10; // reached = the group has settled and fencing goes on: reported as LIVELOCK

// ---------------------------------------------------------------- small vector that hashes by content
#[derive(Clone, Copy)]
struct AV<T: Copy + Default, const N: usize> { n: u8, a: [T; N] }
impl<T: Copy + Default, const N: usize> Default for AV<T, N> { fn default() -> Self { AV { n: 0, a: [T::default(); N] } } }
impl<T: Copy + Default, const N: usize> AV<T, N> {
    fn s(&self) -> &[T] { &self.a[..self.n as usize] }
    fn m(&mut self) -> &mut [T] { &mut self.a[..self.n as usize] }
    fn push(&mut self, t: T) { assert!((self.n as usize) < N, "AV too small"); self.a[self.n as usize] = t; self.n += 1; }
    fn retain(&mut self, f: impl Fn(usize, &T) -> bool) { let mut o = AV::<T, N>::default(); for (i, t) in self.s().iter().enumerate() { if f(i, t) { o.push(*t) } } *self = o; }
}
impl<T: Copy + Default + PartialEq, const N: usize> PartialEq for AV<T, N> { fn eq(&self, o: &Self) -> bool { self.s() == o.s() } }
impl<T: Copy + Default + Eq, const N: usize> Eq for AV<T, N> {}
impl<T: Copy + Default + Hash, const N: usize> Hash for AV<T, N> { fn hash<H: Hasher>(&self, h: &mut H) { self.s().hash(h) } }

// ---------------------------------------------------------------- state
type Tok = (u8, u8); // epoch, n
/// Kafka transaction coordinator, per transactional id. `holder`: the incarnation whose producer epoch is the current one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Prod { holder: u8, st: u8, parts: u8 } // st 0 empty/complete 1 ongoing 2 prepare-commit 3 prepare-abort; parts: markers still to be written
impl Default for Prod { fn default() -> Self { Prod { holder: NO, st: 0, parts: 0 } } }
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
struct ORec { off: u8, ring: u8, tomb: bool, prod: u8, open: bool } // segue.owners
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Rec { from: u8, to: u8, bad: u8, prod: u8, open: bool } // segue.progress (to) and the output topic (from..to)
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Log { vis: u8, tail: AV<Rec, 8> } // vis: what a read_committed reader has got; tail: from the last stable offset on
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Meta { tok: Tok, off: u8, data: u8 } // data: which records are folded into the stored profiles
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct RMsg { kind: u8, p: u8, sess: u8, exp: Tok, new: Tok, base: u8, off: u8, pm: u8, bits: u8 } // a write on its way to Redis; kind 0 checkpoint 1 claim step 5
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Ck { st: u8, m: RMsg } // 0 none 1 sent 2 outcome unknown
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
enum C { Idle, Claiming, Read2, Fence, Read4, Tombs, Redis5, Redis6, Run, Releasing, Incident, PreFence, PreMeta }
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Part { cs: C, epoch: u8, tok: Tok, n: u8, pub_: u8, pos: u8, base: u8, bad: u8, mem: [u8; 2], fence: AV<u8, 18>, tombs: AV<u8, 9>, ck: Ck, claimed: bool }
const UNK: u8 = 255;
impl Default for Part { fn default() -> Self { Part { cs: C::Idle, epoch: 0, tok: (0, 0), n: 0, pub_: 0, pos: 0, base: 0, bad: 0, mem: [UNK; 2], fence: AV::default(), tombs: AV::default(), ck: Ck::default(), claimed: false } } }
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Tx { kind: u8, p: u8, stage: u8, rep: bool, mask: u8, from: [u8; P], to: [u8; P], bad: [u8; P] } // kind 0 none 1 claim 2 tombstones 3 own tombstone 4 publish; stage 9 awaits EndTxn
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Wk { ring: u8, sess: u8, slot: u8, inited: u8, doubt: bool, tx: Tx, part: [Part; P] }
impl Default for Wk { fn default() -> Self { Wk { ring: NO, sess: NO, slot: 0, inited: 0, doubt: false, tx: Tx::default(), part: [Part::default(); P] } } }
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Budget { kill: u8, mv: u8, lost: u8, rb: u8, refuse: u8, empty: u8 }
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct St {
    prods: AV<Prod, 24>, rings: u8, sess: u8,
    own: [AV<ORec, 24>; P], own_end: [u8; P], out: [Log; P], prog: [Log; P],
    ends: AV<(u8, u8), 8>, rmsgs: AV<RMsg, 6>,
    meta: [Option<Meta>; P], hist: [AV<Meta, 14>; P], succ: [u8; P],
    assign: [u8; P], w: [Wk; W], b: Budget, viol: u8, ignore: u16,
}

macro_rules! muts { ($($n:ident),* $(,)?) => {
    #[derive(Clone, Copy, Default)] struct Muts { $($n: bool),* }
    impl Muts { fn set(&mut self, s: &str) { match s { $(stringify!($n) => self.$n = true,)* _ => panic!("no such switch: {s}") } } }
} }
muts! {
    // the text read literally, where it leaves room
    prog_lso, n_reuse, read_unchecked, step5_same_token, retry_fresh_content, strict_zombie,
    // mutations
    reuse_ring, fence_before_claim, single_key, epoch_redis, cas_offset_gt, cas_offset_eq, no_cas, lazy_init, prog_before_fence, no_owners_reread,
    begin_early, reuse_after_repeat, republish_next_slot, same_ring_after_doubt, tomb_unanswered, ckpt_ahead, no_await, fence_latest_only,
    tomb_before_fence, no_fence, fence_one_id, meta_before_step5, gap_forgets_pub, reinit_when_fenced, no_wait_own_claim, release_no_wait, offset_gt_token, release_early, no_step5, no_probe,
    // which checks
    only_output, no_zombie_check,
}
#[derive(Clone, Copy)]
struct Cfg { np: usize, nw: usize, nrec: u8, rs: u8, m: Muts }

const VIOL: [&str; 11] = ["", "DUPLICATE in the output", "GAP or reordering in the output (loss)", "WRONG CHANGE in the output", "REDIS INCONSISTENT (profiles are not the fold of the records below meta.offset)",
    "REDIS AHEAD of what is published", "ZOMBIE WRITE to Redis after the successor's step 5", "DIGEST unequal though the law holds", "STUCK: not done and nobody can step", "LIVELOCK: endless new rings", "META BEYOND the progress that the claimant read"];

// ---------------------------------------------------------------- actions
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum K { Init, Move, Kill, Learn, Abandon, StartClaim, Produce, ProduceRefused, FencedErr, EndApplied, EndReplyLost, EndTimeout, EndRepeat, EndRefused, GiveUpAnswer, Marker, TxnTimeout, TxnTimeoutLive,
    Read2, Read2Stop, FenceAbort, FenceDone, Read4, Read4Stop, StartTombs, Step5, Step5Fenced, Step5ReplyLost, Step5Late, Step6, Apply, ApplyGap, ApplyFenced, StartPublish, StartOwnTomb,
    CkSend, CkApplied, CkRefused, CkReplyLost, CkGiveUp, CkReadToken, Probe, LateStep5, ZombieCk, Rollback, Empty, Compact, PreFence, PreMeta }
#[derive(Clone, Copy)]
struct Lab { k: K, w: u8, p: u8, x: u8 }

struct Sx<'a> { c: &'a Cfg, out: Vec<(Lab, St)>, faults: bool, normal: usize }
impl<'a> Sx<'a> {
    fn add(&mut self, k: K, w: usize, p: usize, x: u8, s: St) { self.normal += 1; self.out.push((Lab { k, w: w as u8, p: p as u8, x }, s)) }
    fn fault(&mut self, k: K, w: usize, p: usize, x: u8, s: St) { if self.faults { self.out.push((Lab { k, w: w as u8, p: p as u8, x }, s)) } }
}
fn below(n: u8) -> u8 { if n >= 8 { 255 } else { (1u8 << n) - 1 } }
fn prof(i: u8) -> u8 { i % 2 }
fn pmask(k: u8) -> u8 { if k == 0 { 0x55 } else { 0xAA } }
const B_OWN: u8 = 1; const B_PROG: u8 = 4; // marker bits, shifted by partition; the output's markers come with the decision: only outside readers see them

impl St {
    fn fail(&mut self, v: u8) { if self.viol == 0 && self.ignore & (1 << v) == 0 { self.viol = v } }
    fn idx(&self, c: &Cfg, w: usize) -> u8 { self.w[w].ring * c.rs + self.w[w].slot % c.rs }
    // ---- broker
    fn flush_out(&mut self, p: usize) {
        while self.out[p].tail.n > 0 && !self.out[p].tail.a[0].open {
            let r = self.out[p].tail.a[0]; self.out[p].tail.retain(|i, _| i > 0);
            if r.from < self.out[p].vis { self.fail(1) } else if r.from > self.out[p].vis { self.fail(2) } else if r.bad != 0 { self.fail(3) }
            self.out[p].vis = r.to;
        }
    }
    fn decided(&self, p: usize) -> u8 { let mut v = self.out[p].vis; for r in self.out[p].tail.s() { if !r.open { v = v.max(r.to) } } v }
    fn decide(&mut self, x: u8, commit: bool) {
        let pr = &mut self.prods.m()[x as usize]; pr.st = if commit { 2 } else { 3 };
        for p in 0..P {
            if commit { for r in self.out[p].tail.m() { if r.prod == x && r.open { r.open = false } } } else { self.out[p].tail.retain(|_, r| !(r.prod == x && r.open)) }
            self.flush_out(p);
        }
        if self.prods.s()[x as usize].parts == 0 { self.prods.m()[x as usize].st = 0 }
    }
    fn marker(&mut self, c: &Cfg, x: u8, bit: u8) {
        let commit = self.prods.s()[x as usize].st == 2;
        for p in 0..P {
            if bit == B_OWN << p {
                if commit { for r in self.own[p].m() { if r.prod == x { r.open = false } } } else { self.own[p].retain(|_, r| !(r.prod == x && r.open)) }
                if !c.m.single_key { self.prune(p) }
            }
            if bit == B_PROG << p {
                if commit { for r in self.prog[p].tail.m() { if r.prod == x { r.open = false } } } else { self.prog[p].tail.retain(|_, r| !(r.prod == x && r.open)) }
                while self.prog[p].tail.n > 0 && !self.prog[p].tail.a[0].open { self.prog[p].vis = self.prog[p].tail.a[0].to; self.prog[p].tail.retain(|i, _| i > 0) }
            }
        }
        let pr = &mut self.prods.m()[x as usize]; pr.parts &= !bit; if pr.parts == 0 { pr.st = 0 }
    }
    fn nvis(&self, p: usize) -> usize { self.own[p].s().iter().position(|r| r.open).unwrap_or(self.own[p].n as usize) }
    /// a reader takes the last record of each key, so compaction may as well happen at once
    fn prune(&mut self, p: usize) {
        let n = self.nvis(p); let v = self.own[p];
        self.own[p].retain(|i, r| i >= n || !(r.tomb || v.s()[i + 1..n].iter().any(|q| q.ring == r.ring)));
    }
    // ---- worker
    fn drop_part(&mut self, w: usize, p: usize) { if self.w[w].part[p].cs != C::Incident { self.w[w].part[p] = Part::default() } }
    /// after any doubt: the whole ring is given up, every partition is to be claimed anew
    fn doubt(&mut self, c: &Cfg, w: usize) {
        self.w[w].tx = Tx::default();
        for p in 0..P { self.drop_part(w, p) }
        if c.m.same_ring_after_doubt { self.w[w].slot += 1; self.w[w].slot %= c.rs } else { self.w[w].ring = NO; self.w[w].sess = NO; self.w[w].slot = 0; self.w[w].inited = 0 }
    }
    fn gap(&mut self, w: usize, p: usize) { let q = &mut self.w[w].part[p]; q.cs = C::Redis6; q.mem = [UNK; 2]; q.bad = 0; q.ck = Ck::default(); q.pos = 0; q.base = 0 }
    fn classify(&mut self, w: usize, p: usize) -> bool { // token is neither expected nor ours: higher epoch = FENCED, else GAP
        let q = self.w[w].part[p];
        match self.meta[p] { None => { self.w[w].part[p] = Part { cs: C::Incident, ..Part::default() }; true } Some(m) if m.tok.0 > q.epoch => { self.drop_part(w, p); true } _ => { self.gap(w, p); false } }
    }
    fn ck_ok(&mut self, w: usize, p: usize) {
        let q = &mut self.w[w].part[p]; q.base = q.ck.m.off; q.tok = q.ck.m.new; q.ck = Ck::default();
        for k in 0..2u8 { if (q.base..q.pos).all(|i| prof(i) != k) { q.mem[k as usize] = UNK } } // clean profiles may leave memory: the worst case
    }
    fn remember(&mut self, p: usize) { if self.b.rb > 0 { if let Some(m) = self.meta[p] { if !self.hist[p].s().contains(&m) { self.hist[p].push(m); let n = self.hist[p].n as usize; self.hist[p].a[..n].sort() } } } }
    fn redis_apply(&mut self, c: &Cfg, m: &RMsg) -> bool {
        let p = m.p as usize; let Some(cur) = self.meta[p] else { return false };
        if m.kind == 1 {
            if cur.tok.0 < m.new.0 || (!c.m.step5_same_token && cur.tok < m.new) { self.meta[p] = Some(Meta { tok: m.new, ..cur }); self.succ[p] = self.succ[p].max(m.new.0); self.remember(p); return true }
            return cur.tok == m.new;
        }
        let ok = if c.m.no_cas { true } else if c.m.cas_offset_gt { m.off > cur.off } else if c.m.cas_offset_eq { m.base == cur.off } else if c.m.offset_gt_token { m.new > cur.tok } else { cur.tok == m.exp };
        if !ok { return false }
        if m.new.0 < cur.tok.0 || (c.m.strict_zombie && m.new.0 < self.succ[p]) { self.fail(6) }
        let mut d = cur.data; for k in 0..2 { if m.pm & (1 << k) != 0 { d = (d & !pmask(k)) | (m.bits & pmask(k)) } }
        let nm = Meta { tok: m.new, off: m.off, data: d }; self.meta[p] = Some(nm); self.remember(p);
        if nm.data != below(nm.off) { self.fail(4) }
        if nm.off > self.decided(p) { self.fail(5) }
        true
    }
    fn canon(&mut self, c: &Cfg) {
        // an EndTxn that can do nothing and that nobody awaits is gone; so is a Redis write that can never apply
        let me = *self;
        self.ends.retain(|_, &(x, s)| me.prods.s()[x as usize].holder == s || me.w.iter().any(|k| k.sess == s && k.tx.kind != 0 && k.tx.stage == 9 && k.ring * c.rs + k.slot % c.rs == x));
        let n = self.ends.n as usize; self.ends.a[..n].sort();
        for x in 0..self.prods.n { let pr = self.prods.s()[x as usize]; if pr.st == 0 && pr.holder != NO && !self.w.iter().any(|k| k.sess == pr.holder) && !self.ends.s().iter().any(|e| *e == (x, pr.holder)) { self.prods.m()[x as usize].holder = NO } }
        if self.b.rb == 0 {
            for p in 0..P { self.hist[p] = AV::default() }
            self.rmsgs.retain(|_, m| me.w.iter().any(|k| k.sess == m.sess && k.part[m.p as usize].ck.st == 1 && k.part[m.p as usize].ck.m == *m)
                || me.meta[m.p as usize].map_or(false, |q| q.tok <= m.exp || c.m.no_cas || c.m.cas_offset_gt || c.m.cas_offset_eq || c.m.offset_gt_token || c.m.epoch_redis || m.kind == 1));
        }
        let n = self.rmsgs.n as usize; self.rmsgs.a[..n].sort();
        for k in self.w.iter_mut() { if k.tx.kind == 0 { k.tx = Tx::default() } }
    }
}

fn succ(c: &Cfg, s: &St, faults: bool) -> (Vec<(Lab, St)>, usize) {
    let mut o = Sx { c, out: Vec::with_capacity(24), faults, normal: 0 };
    let m = &c.m;
    // ---------------- group, kills
    if s.b.mv > 0 { for p in 0..c.np { for v in 0..c.nw { if s.assign[p] != v as u8 { let mut t = *s; t.assign[p] = v as u8; t.b.mv -= 1; o.fault(K::Move, v, p, 0, t) } } } }
    if s.b.kill > 0 { for w in 0..c.nw { if s.w[w] != Wk::default() { let mut t = *s; t.w[w] = Wk::default(); t.b.kill -= 1; o.fault(K::Kill, w, 0, 0, t) } } }
    // ---------------- redis going back
    if s.b.rb > 0 { for p in 0..c.np { for h in s.hist[p].s() { if s.meta[p] != Some(*h) { let mut t = *s; t.meta[p] = Some(*h); t.b.rb -= 1; o.fault(K::Rollback, 0, p, h.off, t) } } } }
    if s.b.empty > 0 { for p in 0..c.np { let mut t = *s; t.meta[p] = None; t.b.empty -= 1; o.fault(K::Empty, 0, p, 0, t) } }
    // ---------------- broker on its own
    for x in 0..s.prods.n {
        let pr = s.prods.s()[x as usize];
        if pr.st >= 2 { for b in 0..4 { if pr.parts & (1 << b) != 0 { let mut t = *s; t.marker(c, x, 1 << b); o.add(K::Marker, 0, b as usize, x, t) } } }
        if pr.st == 1 {
            let live = s.w.iter().any(|k| k.sess == pr.holder && k.ring != NO && k.tx.kind != 0 && k.ring * c.rs + k.slot % c.rs == x);
            let mut t = *s; t.prods.m()[x as usize].holder = NO; t.decide(x, false);
            if !live { o.add(K::TxnTimeout, 0, 0, x, t) } else if s.b.lost > 0 { t.b.lost -= 1; o.fault(K::TxnTimeoutLive, 0, 0, x, t) }
        }
    }
    if m.single_key { for p in 0..c.np { let n = s.nvis(p); if n > 1 { let mut t = *s; t.own[p].retain(|i, _| i + 1 >= n); o.fault(K::Compact, 0, p, 0, t) } } }
    // ---------------- EndTxn deliveries
    for i in 0..s.ends.n as usize {
        if i > 0 && s.ends.s()[i] == s.ends.s()[i - 1] { continue }
        let (x, ss) = s.ends.s()[i]; let pr = s.prods.s()[x as usize];
        let mut t = *s; t.ends.retain(|j, _| j != i);
        let waiter = (0..c.nw).find(|&w| s.w[w].sess == ss && s.w[w].tx.kind != 0 && s.w[w].tx.stage == 9 && s.idx(c, w) == x);
        if pr.holder != ss { if let Some(w) = waiter { fenced(c, &mut t, w); o.add(K::EndRefused, w, 0, x, t) } else { o.add(K::EndRefused, 9, 0, x, t) } continue }
        if pr.st == 1 { t.decide(x, true) } else if pr.st == 3 { continue }
        let mut l = t;
        match waiter {
            Some(w) => { answered(c, &mut t, w); o.add(K::EndApplied, w, 0, x, t); if s.b.lost > 0 { l.b.lost -= 1; o.fault(K::EndReplyLost, w, 0, x, l) } }
            None => o.add(K::EndApplied, 9, 0, x, t),
        }
    }
    // ---------------- Redis deliveries
    for i in 0..s.rmsgs.n as usize {
        if i > 0 && s.rmsgs.s()[i] == s.rmsgs.s()[i - 1] { continue }
        let g = s.rmsgs.s()[i]; let p = g.p as usize;
        let mut t = *s; t.rmsgs.retain(|j, _| j != i);
        if g.kind == 1 { t.redis_apply(c, &g); o.add(K::LateStep5, 9, p, g.new.0, t); continue }
        let ok = t.redis_apply(c, &g);
        let waiter = (0..c.nw).find(|&w| s.w[w].sess == g.sess && s.w[w].part[p].ck.st == 1 && s.w[w].part[p].ck.m == g);
        match waiter {
            Some(w) => {
                let mut l = t;
                if ok || (t.meta[p].map(|q| q.tok) == Some(g.new)) { t.ck_ok(w, p); o.add(K::CkApplied, w, p, g.off, t) } else { t.classify(w, p); o.add(K::CkRefused, w, p, g.off, t) }
                if s.b.lost > 0 { l.b.lost -= 1; l.w[w].part[p].ck.st = 2; o.fault(K::CkReplyLost, w, p, g.off, l) }
            }
            None => o.add(K::ZombieCk, 9, p, g.off, t),
        }
    }
    // ---------------- workers
    for w in 0..c.nw {
        let k = &s.w[w];
        // -- transactions
        if k.tx.kind != 0 {
            let x = s.idx(c, w);
            if k.tx.stage < 9 {
                let mut t = *s; let mut ready = true;
                if m.lazy_init && k.inited & (1 << (k.slot % c.rs)) == 0 {
                    let pr = &mut t.prods.m()[x as usize];
                    if pr.st >= 2 { ready = false } else { if pr.st == 1 { pr.holder = NO; t.decide(x, false); } let pr = &mut t.prods.m()[x as usize]; if pr.st >= 2 { ready = false } else { pr.holder = k.sess; t.w[w].inited |= 1 << (k.slot % c.rs) } }
                }
                let pr = t.prods.s()[x as usize];
                if ready && pr.holder != k.sess {
                    if m.reinit_when_fenced { if pr.st == 0 { t.prods.m()[x as usize].holder = k.sess; o.add(K::FencedErr, w, 0, x, t) } } else { fenced(c, &mut t, w); o.add(K::FencedErr, w, 0, x, t) }
                } else if ready && pr.st <= 1 {
                    t.prods.m()[x as usize].st = 1;
                    let bits = produce(&mut t, w, x); t.prods.m()[x as usize].parts |= bits;
                    let last = k.tx.kind != 4 || k.tx.stage == 1;
                    t.w[w].tx.stage += 1;
                    if last { t.w[w].tx.stage = 9; t.ends.push((x, k.sess)); if m.begin_early && k.tx.kind == 4 { answered(c, &mut t, w) } }
                    o.add(K::Produce, w, k.tx.p as usize, k.tx.kind * 10 + k.tx.stage, t);
                    if s.b.refuse > 0 && k.tx.kind == 4 && k.tx.stage == 0 {
                        let mut t = *s; t.b.refuse -= 1;
                        if m.no_await { t.prods.m()[x as usize].st = 1; t.w[w].tx.stage = 1 } else { t.doubt(c, w) }
                        o.fault(K::ProduceRefused, w, 0, x, t)
                    }
                }
            } else {
                let inflight = s.ends.s().iter().any(|&(y, ss)| y == x && ss == k.sess);
                let mut t = *s;
                if m.republish_next_slot || (m.tomb_unanswered && k.tx.kind == 4 && k.part[0].cs == C::Releasing) { t.w[w].tx = Tx::default(); t.w[w].slot = (k.slot + 1) % c.rs; if k.tx.kind != 4 { t.doubt(c, w) } } else { t.doubt(c, w) }
                if !inflight { o.add(K::GiveUpAnswer, w, 0, x, t) } else if s.b.lost > 0 { t.b.lost -= 1; o.fault(K::EndTimeout, w, 0, x, t) }
                if s.b.lost > 0 && !k.tx.rep { let mut t = *s; t.b.lost -= 1; t.w[w].tx.rep = true; t.ends.push((x, k.sess)); o.fault(K::EndRepeat, w, 0, x, t) }
            }
        }
        // -- partitions
        for p in 0..c.np {
            let q = &k.part[p]; let mine = s.assign[p] == w as u8; let intx = k.tx.kind != 0 && if k.tx.kind == 4 { k.tx.mask & (1 << p) != 0 } else { k.tx.p == p as u8 };
            if !mine && q.cs != C::Idle && q.cs != C::Incident && q.cs != C::Releasing && (!intx || (q.cs == C::Run && k.tx.kind == 4)) {
                let mut t = *s; if q.cs == C::Run { t.w[w].part[p].cs = C::Releasing } else { t.drop_part(w, p) }
                o.add(K::Learn, w, p, 0, t)
            }
            match q.cs {
                C::Idle => if mine && k.tx.kind == 0 {
                    let mut t = *s; let r = &mut t.w[w];
                    if r.ring == NO {
                        if m.reuse_ring { r.ring = w as u8 } else { r.ring = t.rings }
                        r.sess = t.sess; t.sess += 1; t.rings = t.rings.max(if m.reuse_ring { c.nw as u8 } else { t.rings + 1 });
                        let (ring, ss) = (r.ring, r.sess);
                        while t.prods.n < t.rings * c.rs { t.prods.push(Prod::default()) }
                        if t.rings > MAXRINGS - 1 { t.fail(9) }
                        let mut ok = true;
                        if !m.lazy_init { for i in 0..c.rs { let x = ring * c.rs + i; if t.prods.s()[x as usize].st == 1 { t.prods.m()[x as usize].holder = NO; t.decide(x, false) } let pr = &mut t.prods.m()[x as usize]; if pr.st >= 2 { ok = false } else { pr.holder = ss } } }
                        if !ok { // InitProducerId waits for markers: keep what it has aborted
                            t.w[w].ring = NO; t.w[w].sess = NO; t.sess -= 1; if t.prods == s.prods { continue }
                            o.add(K::Init, w, p, 0, t); continue
                        }
                    }
                    if m.fence_before_claim { let n = t.nvis(p); let l = t.own[p]; for r in &l.s()[..n] { if r.ring != t.w[w].ring { for i in 0..c.rs { t.w[w].part[p].fence.push(r.ring * c.rs + i) } t.w[w].part[p].tombs.push(r.ring) } } t.w[w].part[p].cs = C::PreFence; o.add(K::PreFence, w, p, 0, t) }
                    else { t.w[w].part[p].cs = C::Claiming; t.w[w].tx = Tx { kind: 1, p: p as u8, ..Tx::default() }; let x = t.w[w].ring; o.add(K::StartClaim, w, p, x, t) }
                },
                C::Fence | C::PreFence => {
                    let mut t = *s;
                    if q.fence.n == 0 {
                        if q.cs == C::PreFence { if k.tx.kind == 0 { t.w[w].part[p].cs = C::Claiming; t.w[w].tx = Tx { kind: 1, p: p as u8, ..Tx::default() }; o.add(K::StartClaim, w, p, k.ring, t) } }
                        else { t.w[w].part[p].cs = after_fence(m); o.add(K::FenceDone, w, p, 99, t) }
                    } else {
                        let x = q.fence.a[0]; let pr = &mut t.prods.m()[x as usize];
                        if pr.st == 1 { pr.holder = NO; t.decide(x, false); o.add(K::FenceAbort, w, p, x, t) }
                        else if pr.st == 0 { pr.holder = NO; let u = &mut t.w[w].part[p]; u.fence.retain(|i, _| i > 0); if u.fence.n == 0 && u.cs == C::Fence { u.cs = after_fence(m) } o.add(K::FenceDone, w, p, x, t) }
                    }
                }
                C::Read2 => {
                    let n = s.nvis(p); let v = &s.own[p].s()[..n];
                    let seen = v.iter().any(|r| r.off == q.epoch && r.ring == k.ring); let exists = s.own[p].s().iter().any(|r| r.off == q.epoch && r.ring == k.ring);
                    if exists && !seen && !m.no_wait_own_claim { continue }
                    let mut t = *s;
                    if (!seen && !m.no_wait_own_claim && !m.single_key) || v.iter().any(|r| r.off > q.epoch && !r.tomb && r.ring != k.ring) { t.drop_part(w, p); o.add(K::Read2Stop, w, p, 0, t); continue }
                    let e = q.epoch; let u = &mut t.w[w].part[p];
                    let cl: Vec<u8> = v.iter().filter(|r| r.off < e && !r.tomb && r.ring != k.ring).map(|r| r.ring).collect();
                    let cl: Vec<u8> = if m.fence_latest_only { cl.into_iter().rev().take(1).collect() } else { cl };
                    for r in &cl { if !m.no_fence { for i in 0..if m.fence_one_id { 1 } else { c.rs } { u.fence.push(r * c.rs + i) } } if !m.single_key { u.tombs.push(*r) } }
                    u.cs = if u.fence.n == 0 { after_fence(m) } else { C::Fence };
                    if m.prog_before_fence { u.pub_ = s.prog[p].vis }
                    if m.tomb_before_fence { u.pub_ = 0; u.cs = if u.tombs.n > 0 { C::Tombs } else { C::Fence } }
                    o.add(K::Read2, w, p, cl.len() as u8, t)
                }
                C::Read4 => {
                    let n = s.nvis(p); let v = &s.own[p].s()[..n];
                    let seen = v.iter().any(|r| r.off == q.epoch && r.ring == k.ring); let exists = s.own[p].s().iter().any(|r| r.off == q.epoch && r.ring == k.ring);
                    if m.fence_before_claim && exists && !seen { continue }
                    let mut t = *s;
                    if !m.no_owners_reread && ((!seen && !m.no_wait_own_claim && !m.single_key) || v.iter().any(|r| r.off > q.epoch && !r.tomb && r.ring != k.ring)) { t.drop_part(w, p); o.add(K::Read4Stop, w, p, 0, t); continue }
                    if !m.prog_lso && !m.prog_before_fence && s.prog[p].tail.n > 0 { continue } // wait until the last stable offset reaches the end
                    let u = &mut t.w[w].part[p]; if !m.prog_before_fence { u.pub_ = s.prog[p].vis }
                    u.cs = if u.tombs.n > 0 { C::Tombs } else if m.meta_before_step5 { C::PreMeta } else { C::Redis5 };
                    o.add(K::Read4, w, p, u.pub_, t)
                }
                C::Tombs => if k.tx.kind == 0 { let mut t = *s; t.w[w].tx = Tx { kind: 2, p: p as u8, ..Tx::default() }; o.add(K::StartTombs, w, p, 0, t) },
                C::PreMeta => { let mut t = *s; match s.meta[p] { None => t.w[w].part[p] = Part { cs: C::Incident, ..Part::default() }, Some(g) => { let u = &mut t.w[w].part[p]; u.pos = g.off; u.base = g.off; u.cs = C::Redis5 } } o.add(K::PreMeta, w, p, 0, t) }
                C::Redis5 => {
                    let mut t = *s;
                    if m.tomb_before_fence && s.prog[p].tail.n > 0 { continue }
                    if m.tomb_before_fence { t.w[w].part[p].pub_ = s.prog[p].vis }
                    let Some(g) = s.meta[p] else { t.w[w].part[p] = Part { cs: C::Incident, ..Part::default() }; o.add(K::Step5Fenced, w, p, 0, t); continue };
                    if m.no_step5 { t.w[w].part[p].cs = C::Redis6; o.add(K::Step5, w, p, 0, t); continue }
                    if m.epoch_redis { t.w[w].part[p].epoch = g.tok.0 + 1 }
                    let e = t.w[w].part[p].epoch;
                    if g.tok.0 > e { t.drop_part(w, p); o.add(K::Step5Fenced, w, p, 0, t); continue }
                    let n = if m.step5_same_token { 0 } else { q.n };
                    let msg = RMsg { kind: 1, p: p as u8, sess: k.sess, new: (e, n), ..RMsg::default() };
                    let u = &mut t.w[w].part[p]; u.n = n + 1; u.tok = (e, n);
                    let mut late = t;
                    t.w[w].part[p].cs = if m.meta_before_step5 { C::Run } else { C::Redis6 };
                    if g.tok.0 == e && m.step5_same_token { t.w[w].part[p].tok = g.tok } // our own, its reply was lost
                    t.redis_apply(c, &msg);
                    let mut lost = t; lost.w[w].part[p] = late.w[w].part[p]; 
                    o.add(K::Step5, w, p, e, t);
                    if s.b.lost > 0 && !m.epoch_redis { lost.b.lost -= 1; o.fault(K::Step5ReplyLost, w, p, e, lost); late.b.lost -= 1; late.rmsgs.push(msg); o.fault(K::Step5Late, w, p, e, late) }
                }
                C::Redis6 => {
                    let mut t = *s;
                    match s.meta[p] { None => t.w[w].part[p] = Part { cs: C::Incident, ..Part::default() }, Some(g) if g.tok.0 > q.epoch => t.drop_part(w, p),
                        Some(g) => { let u = &mut t.w[w].part[p]; u.tok = g.tok; u.pos = g.off; u.base = g.off; u.bad = 0; u.mem = [UNK; 2]; u.cs = C::Run; if m.gap_forgets_pub { u.pub_ = g.off } if g.off > u.pub_ { u.cs = C::Incident; t.fail(10) } } }
                    o.add(K::Step6, w, p, 0, t)
                }
                C::Run => {
                    if q.pos < c.nrec {
                        let mut t = *s; let a = prof(q.pos) as usize; let mut kk = K::Apply;
                        if q.mem[a] == UNK {
                            match s.meta[p] {
                                Some(g) if m.read_unchecked || g.tok == q.tok || (q.ck.st != 0 && g.tok == q.ck.m.new) || m.cas_offset_eq || m.cas_offset_gt || m.no_cas => t.w[w].part[p].mem[a] = g.data & pmask(a as u8),
                                _ => { kk = if t.classify(w, p) { K::ApplyFenced } else { K::ApplyGap } }
                            }
                        }
                        if kk == K::Apply {
                            let u = &mut t.w[w].part[p];
                            if u.mem[a] != below(u.pos) & pmask(a as u8) { u.bad |= 1 << u.pos }
                            u.mem[a] |= 1 << u.pos; u.pos += 1;
                            if u.pos == u.pub_ && u.bad != 0 { t.fail(7) }
                        }
                        o.add(kk, w, p, q.pos, t)
                    }
                    if q.pos == c.nrec && q.ck.st == 0 && q.base == q.pos && !m.no_probe && s.meta[p].map(|g| g.tok) != Some(q.tok) { let mut t = *s; t.classify(w, p); o.add(K::Probe, w, p, 0, t) }
                    let b = if m.ckpt_ahead { q.pos } else { q.pos.min(q.pub_) };
                    if q.ck.st == 0 && b > q.base {
                        let mut t = *s; let mut pm = 0; let mut bits = 0;
                        for i in q.base..b { let a = prof(i); pm |= 1 << a; bits |= q.mem[a as usize] & pmask(a) & below(b) }
                        let n = if m.n_reuse { if q.tok.0 == q.epoch { q.tok.1 + 1 } else { 0 } } else { q.n };
                        let msg = RMsg { kind: 0, p: p as u8, sess: k.sess, exp: q.tok, new: (q.epoch, n), base: q.base, off: b, pm, bits };
                        let u = &mut t.w[w].part[p]; u.n = if m.n_reuse { 0 } else { n + 1 }; u.ck = Ck { st: 1, m: msg }; t.rmsgs.push(msg);
                        o.add(K::CkSend, w, p, b, t)
                    }
                }
                C::Releasing => if !intx {
                    let mut t = *s;
                    if m.single_key { t.drop_part(w, p); o.add(K::Abandon, w, p, 0, t) }
                    else {
                        if k.tx.kind == 0 { t.w[w].tx = Tx { kind: 3, p: p as u8, ..Tx::default() }; o.add(K::StartOwnTomb, w, p, 0, t) }
                        let mut t = *s; t.drop_part(w, p); o.add(K::Abandon, w, p, 0, t)
                    }
                } else if m.release_early && k.tx.kind == 4 && k.tx.stage < 9 && !s.own[p].s().iter().any(|r| r.ring == k.ring && r.tomb) && s.own[p].s().iter().any(|r| r.ring == k.ring) {
                    let mut t = *s; t.own_end[p] += 1; let off = t.own_end[p]; t.own[p].push(ORec { off, ring: k.ring, tomb: true, prod: NO, open: false }); t.prune(p); o.add(K::StartOwnTomb, w, p, 2, t)
                } else if m.release_no_wait && k.tx.kind == 4 && k.tx.stage == 9 {
                    let mut t = *s; t.w[w].tx = Tx { kind: 3, p: p as u8, ..Tx::default() }; t.w[w].slot = (k.slot + 1) % c.rs; o.add(K::StartOwnTomb, w, p, 1, t)
                },
                _ => {}
            }
            if q.ck.st == 1 && s.b.lost > 0 { let mut t = *s; t.b.lost -= 1; t.w[w].part[p].ck.st = 2; o.fault(K::CkGiveUp, w, p, 0, t) }
            if q.ck.st == 2 {
                let mut t = *s; let g = q.ck.m;
                match s.meta[p] {
                    Some(x) if x.tok == g.new => t.ck_ok(w, p),
                    Some(x) if x.tok == g.exp => if m.retry_fresh_content { let u = &mut t.w[w].part[p]; u.ck = Ck::default(); u.n = g.new.1 } else { t.w[w].part[p].ck.st = 1; if !s.rmsgs.s().contains(&g) { t.rmsgs.push(g) } },
                    _ => { t.classify(w, p); }
                }
                o.add(K::CkReadToken, w, p, 0, t)
            }
        }
        // -- publish whatever is ready, for all partitions in one transaction
        if k.tx.kind == 0 && k.ring != NO {
            let mut tx = Tx { kind: 4, ..Tx::default() };
            for p in 0..c.np { let q = &k.part[p]; if q.cs == C::Run && q.pos > q.pub_ { tx.mask |= 1 << p; tx.from[p] = q.pub_; tx.to[p] = q.pos; tx.bad[p] = q.bad & !below(q.pub_) } }
            if tx.mask != 0 { let mut t = *s; t.w[w].tx = tx; o.add(K::StartPublish, w, 0, tx.mask, t) }
        }
    }
    let n = o.normal; (o.out, n)
}
fn after_fence(m: &Muts) -> C { if m.tomb_before_fence { C::Redis5 } else { C::Read4 } }
fn fenced(c: &Cfg, t: &mut St, w: usize) {
    t.doubt(c, w);
    if c.m.same_ring_after_doubt { t.w[w].ring = NO; t.w[w].sess = NO; t.w[w].slot = 0; t.w[w].inited = 0 }
}
fn produce(t: &mut St, w: usize, x: u8) -> u8 {
    let k = t.w[w]; let p = k.tx.p as usize; let mut bits = 0;
    match k.tx.kind {
        1 => { t.own_end[p] += 1; let off = t.own_end[p]; t.own[p].push(ORec { off, ring: k.ring, tomb: false, prod: x, open: true }); t.w[w].part[p].epoch = off; bits = B_OWN << p }
        2 => { for r in k.part[p].tombs.s() { t.own_end[p] += 1; let off = t.own_end[p]; t.own[p].push(ORec { off, ring: *r, tomb: true, prod: x, open: true }) } bits = B_OWN << p }
        3 => { t.own_end[p] += 1; let off = t.own_end[p]; t.own[p].push(ORec { off, ring: k.ring, tomb: true, prod: x, open: true }); bits = B_OWN << p }
        _ => for p in 0..P { if k.tx.mask & (1 << p) != 0 {
            let r = Rec { from: k.tx.from[p], to: k.tx.to[p], bad: k.tx.bad[p], prod: x, open: true };
            if k.tx.stage == 0 { t.out[p].tail.push(r) } else { t.prog[p].tail.push(Rec { from: 0, bad: 0, ..r }); bits |= B_PROG << p }
        } },
    }
    bits
}
fn answered(c: &Cfg, t: &mut St, w: usize) {
    let k = t.w[w]; let p = k.tx.p as usize;
    match k.tx.kind {
        1 => t.w[w].part[p].cs = if c.m.fence_before_claim { C::Read4 } else { C::Read2 },
        2 => { t.w[w].part[p].cs = if c.m.tomb_before_fence { C::Fence } else if c.m.meta_before_step5 { C::PreMeta } else { C::Redis5 }; t.w[w].part[p].tombs = AV::default() }
        3 => t.drop_part(w, p),
        _ => for p in 0..P { if k.tx.mask & (1 << p) != 0 && k.part[p].cs != C::Idle { t.w[w].part[p].pub_ = k.tx.to[p] } },
    }
    t.w[w].tx = Tx::default(); t.w[w].slot = (k.slot + 1) % c.rs;
    if k.tx.rep && !c.m.reuse_after_repeat { t.doubt(c, w) }
}

// ---------------------------------------------------------------- search
#[derive(Default, Clone, Copy)]
struct Fx(u64);
impl Hasher for Fx { fn finish(&self) -> u64 { let mut x = self.0; x ^= x >> 32; x = x.wrapping_mul(0xd6e8feb86659fd93); x ^= x >> 32; x = x.wrapping_mul(0xd6e8feb86659fd93); x ^ (x >> 32) }
    fn write(&mut self, b: &[u8]) { for c in b.chunks(8) { let mut v = [0u8; 8]; v[..c.len()].copy_from_slice(c); self.write_u64(u64::from_le_bytes(v) ^ ((c.len() as u64) << 56)) } }
    fn write_u8(&mut self, v: u8) { self.write_u64(v as u64 + 0x9e37) }
    fn write_usize(&mut self, v: usize) { self.write_u64(v as u64) }
    fn write_u64(&mut self, v: u64) { self.0 = (self.0.rotate_left(23) ^ v).wrapping_mul(0x9e3779b97f4a7c15); self.0 ^= self.0 >> 29 } }
#[derive(Default, Clone, Copy)]
struct Id(u64);
impl Hasher for Id { fn finish(&self) -> u64 { self.0 } fn write(&mut self, _: &[u8]) { unreachable!() } fn write_u64(&mut self, v: u64) { self.0 = v } }
fn fp(s: &St) -> u64 { let mut h = Fx(0x1234567); s.hash(&mut h); h.finish() }

fn init(c: &Cfg, b: Budget) -> St {
    let mut s = St { prods: AV::default(), rings: 0, sess: 0, own: [AV::default(); P], own_end: [0; P], out: [Log::default(); P], prog: [Log::default(); P], ends: AV::default(), rmsgs: AV::default(),
        meta: [None; P], hist: [AV::default(); P], succ: [0; P], assign: [0; P], w: [Wk::default(); W], b, viol: 0, ignore: if c.m.only_output { 0b110_1111_0000 } else if c.m.no_zombie_check { 1 << 6 } else { 0 } };
    for p in 0..c.np { s.meta[p] = Some(Meta::default()); s.remember(p); s.assign[p] = (p % c.nw) as u8 }
    s
}
fn done(c: &Cfg, s: &St) -> bool { (0..c.np).all(|p| s.w.iter().any(|k| k.part[p].cs == C::Incident) || s.meta[p].map_or(true, |m| s.out[p].vis == c.nrec && m.off == c.nrec)) }
fn say(l: &Lab, c: &Cfg) -> String {
    let who = if l.w == 9 { "-".into() } else { format!("{}", (b'A' + l.w) as char) };
    let x = match l.k { K::Produce => ["", "claim", "tombstones", "own tombstone", "changes"][(l.x / 10) as usize].to_string() + if l.x == 41 { " -> progress" } else { "" },
        K::Marker => format!("{}[{}] of id {}", if l.p < 2 { "owners" } else { "progress" }, l.p % 2, name(l.x, c)),
        K::FenceAbort | K::FenceDone if l.x != 99 => name(l.x, c), K::EndApplied | K::EndRefused | K::EndReplyLost | K::EndRepeat | K::EndTimeout | K::TxnTimeout | K::TxnTimeoutLive | K::FencedErr | K::GiveUpAnswer => name(l.x, c), _ => l.x.to_string() };
    format!("{who}:{:?}({}{})", l.k, if c.np > 1 && l.k != K::Marker { format!("p{} ", l.p) } else { String::new() }, x)
}
fn name(x: u8, c: &Cfg) -> String { format!("R{}.{}", x / c.rs, x % c.rs) }

fn bfs(c: &Cfg, b: Budget, limit: usize, secs: u64, quiet: bool) -> (usize, usize, u8, Vec<Lab>, u8, bool) {
    let mut seen: HashSet<u64, BuildHasherDefault<Id>> = HashSet::default();
    let mut nodes: Vec<(u32, Lab)> = vec![(0, Lab { k: K::Init, w: 9, p: 0, x: 0 })];
    let s0 = init(c, b); seen.insert(fp(&s0)); let t0 = std::time::Instant::now();
    let mut front = vec![(s0, 0u32)]; let mut depth = 0; let mut rings = 0;
    let trace = |nodes: &Vec<(u32, Lab)>, mut i: u32| { let mut v = vec![]; while i != 0 { v.push(nodes[i as usize].1); i = nodes[i as usize].0 } v.reverse(); v };
    while !front.is_empty() {
        let mut next = Vec::new();
        while let Some((s, id)) = front.pop() {
            let (out, normal) = succ(c, &s, true);
            if normal == 0 && !c.m.only_output && !done(c, &s) { return (seen.len(), depth, 8, trace(&nodes, id), rings, true) }
            for (l, mut t) in out {
                t.canon(c); rings = rings.max(t.rings);
                if t.viol != 0 { let mut v = trace(&nodes, id); v.push(l); return (seen.len(), depth + 1, t.viol, v, rings, true) }
                if seen.insert(fp(&t)) { nodes.push((id, l)); next.push((t, nodes.len() as u32 - 1)) }
            }
            if seen.len() > limit || (front.len() % 1024 == 0 && t0.elapsed().as_secs() > secs) { return (seen.len(), depth, 0, vec![], rings, false) }
        }
        front = next; depth += 1;
        if !quiet && depth % 10 == 0 { eprintln!("  depth {depth} states {} frontier {}", seen.len(), front.len()) }
    }
    (seen.len(), depth, 0, vec![], rings, true)
}
/// Depth-first with colours: is there a cycle? (Without one, and with every end state done, every run ends well: liveness.)
fn cycle(c: &Cfg, b: Budget, limit: usize) -> (usize, bool, bool) {
    let mut col: HashMap<u64, bool, BuildHasherDefault<Id>> = HashMap::default(); // true = on the stack
    let s0 = init(c, b); let mut st: Vec<(u64, Vec<(Lab, St)>)> = vec![(fp(&s0), succ(c, &s0, true).0)]; col.insert(fp(&s0), true);
    while let Some((f, v)) = st.last_mut() {
        if let Some((_, mut t)) = v.pop() { t.canon(c); let h = fp(&t); match col.get(&h) { Some(true) => { let (k, _) = (t, 0); if fp(&k) != *f { return (col.len(), true, true) } } Some(false) => {} None => { col.insert(h, true); st.push((h, succ(c, &t, true).0)) } } }
        else { col.insert(*f, false); st.pop(); }
        if col.len() > limit { return (col.len(), false, false) }
    }
    (col.len(), false, true)
}

fn main() {
    let mut c = Cfg { np: 1, nw: 2, nrec: 3, rs: 1, m: Muts::default() }; let mut b = Budget::default(); let mut limit = 60_000_000usize; let mut secs = 1 << 40; let mut mode = "bfs".to_string(); let mut quiet = false;
    for a in std::env::args().skip(1) {
        if let Some((k, v)) = a.split_once('=') { let n: usize = v.parse().unwrap(); match k { "np" => c.np = n, "nw" => c.nw = n, "n" => c.nrec = n as u8, "rs" => c.rs = n as u8, "kill" => b.kill = n as u8, "move" => b.mv = n as u8, "lost" => b.lost = n as u8, "rb" => b.rb = n as u8, "refuse" => b.refuse = n as u8, "empty" => b.empty = n as u8, "limit" => limit = n, "secs" => secs = n as u64, _ => panic!("{k}") } }
        else if a == "cycle" || a == "bfs" { mode = a } else if a == "-q" { quiet = true } else { c.m.set(&a) }
    }
    let t0 = std::time::Instant::now();
    if mode == "cycle" { let (n, cy, full) = cycle(&c, b, limit); println!("states {n} complete {full} cycle {cy} {:.0?}", t0.elapsed()); return }
    let (n, d, v, tr, rings, full) = bfs(&c, b, limit, secs, quiet);
    println!("states {n} depth {d} {} rings<={rings} {:.1?}: {}", if full { "complete" } else { "CUT at the limit" }, t0.elapsed(), if v == 0 { "holds" } else { VIOL[v as usize] });
    if v != 0 { println!("  {} steps: {}", tr.len(), tr.iter().map(|l| say(l, &c)).collect::<Vec<_>>().join("; ")) }
}
