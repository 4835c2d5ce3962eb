;; The runtime every script imports: memory, blocks, texts, lists. One instance a script, compiled once a process.
;; Addresses of control words are those of language/layout.py (a test compares them).
(module
  (import "host" "fail" (func $fail (param i32)))
  (import "host" "text_integer" (func $text_integer (param i32) (result i32)))
  (import "host" "text_float" (func $text_float (param i32) (result f32)))
  (import "host" "float_text" (func $float_text (param f32) (result i32)))
  (import "host" "item_text" (func $item_text (param i32 i32) (result i32)))
  (memory (export "memory") 4 4)

  ;; ---- blocks: {i32 references, i32 size, i32 length, data}

  ;; size classes: multiples of 16 up to 256, then four a doubling
  (func $class (param $size i32) (result i32) (local $k i32)
    (if (i32.le_u (local.get $size) (i32.const 256))
      (then (return (i32.shr_u (i32.add (local.get $size) (i32.const 15)) (i32.const 4)))))
    (local.set $size (i32.sub (local.get $size) (i32.const 1)))
    (local.set $k (i32.sub (i32.const 31) (i32.clz (local.get $size))))
    (i32.add (i32.const 13) (i32.add (i32.shl (i32.sub (local.get $k) (i32.const 8)) (i32.const 2))
      (i32.shr_u (local.get $size) (i32.sub (local.get $k) (i32.const 2))))))

  ;; the size of the class that holds `size` bytes
  (func $round_up (param $size i32) (result i32) (local $shift i32)
    (if (i32.le_u (local.get $size) (i32.const 256))
      (then (return (i32.and (i32.add (local.get $size) (i32.const 15)) (i32.const -16)))))
    (local.set $size (i32.sub (local.get $size) (i32.const 1)))
    (local.set $shift (i32.sub (i32.const 29) (i32.clz (local.get $size))))
    (i32.shl (i32.add (i32.shr_u (local.get $size) (local.get $shift)) (i32.const 1)) (local.get $shift)))

  ;; puts a free region into the lists, cut into the largest classes that fit
  (func $carve (param $p i32) (param $room i32) (local $size i32) (local $shift i32) (local $head i32)
    (block $done (loop $more
      (br_if $done (i32.lt_u (local.get $room) (i32.const 16)))
      (if (i32.le_u (local.get $room) (i32.const 256))
        (then (local.set $size (i32.and (local.get $room) (i32.const -16))))
        (else
          (local.set $shift (i32.sub (i32.const 29) (i32.clz (local.get $room))))
          (local.set $size (i32.shl (i32.shr_u (local.get $room) (local.get $shift)) (local.get $shift)))))
      (if (i32.gt_u (local.get $size) (i32.const 131072)) (then (local.set $size (i32.const 131072))))
      (local.set $head (i32.shl (call $class (local.get $size)) (i32.const 2)))
      (i32.store (local.get $p) (i32.const -1))
      (i32.store offset=4 (local.get $p) (local.get $size))
      (i32.store offset=8 (local.get $p) (i32.load offset=192 (local.get $head)))
      (i32.store offset=192 (local.get $head) (local.get $p))
      (local.set $p (i32.add (local.get $p) (local.get $size)))
      (local.set $room (i32.sub (local.get $room) (local.get $size)))
      (br $more))))

  ;; takes a free block of a class at or above `class` and gives back what is too much; 0 if there is none
  (func $split (param $class i32) (param $size i32) (result i32) (local $p i32) (local $head i32)
    (block $none (loop $next
      (br_if $none (i32.gt_u (local.get $class) (i32.const 56)))
      (local.set $head (i32.shl (local.get $class) (i32.const 2)))
      (if (local.tee $p (i32.load offset=192 (local.get $head)))
        (then
          (i32.store offset=192 (local.get $head) (i32.load offset=8 (local.get $p)))
          (call $carve (i32.add (local.get $p) (local.get $size))
            (i32.sub (i32.load offset=4 (local.get $p)) (local.get $size)))
          (i32.store offset=4 (local.get $p) (local.get $size))
          (return (local.get $p))))
      (local.set $class (i32.add (local.get $class) (i32.const 1)))
      (br $next)))
    (i32.const 0))

  ;; where the next block lies; a damaged page must not make us walk in circles
  (func $after (param $p i32) (result i32) (local $size i32)
    (local.set $size (i32.load offset=4 (local.get $p)))
    (if (i32.gt_u (i32.sub (local.get $size) (i32.const 16)) (i32.const 131056)) (then (call $fail (i32.const 4)) unreachable))
    (i32.add (local.get $p) (local.get $size)))

  ;; joins free neighbours, when the heap is full of holes
  (func $sweep (local $p i32) (local $end i32) (local $run i32) (local $i i32)
    (loop $clear
      (i32.store offset=192 (local.get $i) (i32.const 0))
      (br_if $clear (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 4))) (i32.const 228))))
    (local.set $p (i32.load offset=56 (i32.const 0)))
    (local.set $end (i32.load offset=32 (i32.const 0)))
    (i32.store offset=20 (i32.const 0) (i32.sub (i32.load offset=20 (i32.const 0)) (i32.const 500)))
    (block $done (loop $next
      (local.set $run (local.get $p))
      (block $used (loop $free
        (br_if $used (i32.ge_u (local.get $p) (local.get $end)))
        (br_if $used (i32.ne (i32.load (local.get $p)) (i32.const -1)))
        (local.set $p (call $after (local.get $p)))
        (br $free)))
      (if (i32.ge_u (local.get $p) (local.get $end))
        (then (i32.store offset=32 (i32.const 0) (local.get $run)) (br $done)))
      (call $carve (local.get $run) (i32.sub (local.get $p) (local.get $run)))
      (local.set $p (call $after (local.get $p)))
      (br $next))))

  ;; a physical block of at least `size` bytes, header included; 0 when there is no room
  (func $room (param $size i32) (result i32) (local $class i32) (local $head i32) (local $p i32) (local $top i32)
    (local.set $class (call $class (local.get $size)))
    (local.set $head (i32.shl (local.get $class) (i32.const 2)))
    (if (local.tee $p (i32.load offset=192 (local.get $head)))
      (then
        (i32.store offset=192 (local.get $head) (i32.load offset=8 (local.get $p)))
        (return (local.get $p))))
    (local.set $size (call $round_up (local.get $size)))
    (local.set $p (i32.load offset=32 (i32.const 0)))
    (local.set $top (i32.add (local.get $p) (local.get $size)))
    (if (i32.gt_u (local.get $top) (i32.const 196608))
      (then
        (if (local.tee $p (call $split (local.get $class) (local.get $size))) (then (return (local.get $p))))
        (call $sweep)
        (if (local.tee $p (call $split (local.get $class) (local.get $size))) (then (return (local.get $p))))
        (local.set $p (i32.load offset=32 (i32.const 0)))
        (local.set $top (i32.add (local.get $p) (local.get $size)))
        (if (i32.gt_u (local.get $top) (i32.const 196608)) (then (return (i32.const 0))))))
    (i32.store offset=32 (i32.const 0) (local.get $top))
    (i32.store offset=4 (local.get $p) (local.get $size))
    (local.get $p))

  ;; counts logical bytes; more than the script may have is a Stack-Heap Collision
  (func $charge (param $bytes i32) (local $used i32)
    (local.set $used (i32.add (i32.load offset=24 (i32.const 0)) (local.get $bytes)))
    (if (i32.gt_u (i32.add (local.get $used) (i32.load offset=16 (i32.const 0))) (i32.load offset=28 (i32.const 0)))
      (then (call $fail (i32.const 2)) unreachable))
    (i32.store offset=24 (i32.const 0) (local.get $used))
    (if (i32.gt_u (local.get $used) (i32.load offset=52 (i32.const 0)))
      (then (i32.store offset=52 (i32.const 0) (local.get $used)))))

  ;; a block of `length` data bytes, with physical room for `slack` more, owned by the caller
  (func $alloc_slack (param $length i32) (param $slack i32) (result i32) (local $p i32)
    (if (i32.gt_u (local.get $length) (i32.const 65536)) (then (call $fail (i32.const 2)) unreachable))
    (call $charge (i32.add (local.get $length) (i32.const 12)))
    (local.set $p (call $room (i32.add (i32.add (local.get $length) (local.get $slack)) (i32.const 12))))
    (if (i32.eqz (local.get $p)) (then
      (local.set $p (call $room (i32.add (local.get $length) (i32.const 12))))
      (if (i32.eqz (local.get $p)) (then (call $fail (i32.const 2)) unreachable))))
    (i32.store (local.get $p) (i32.const 1))
    (i32.store offset=8 (local.get $p) (local.get $length))
    (local.get $p))

  (func $alloc (export "alloc") (param $length i32) (result i32)
    (call $alloc_slack (local.get $length) (i32.const 0)))

  ;; takes a block's logical bytes off the count
  (func $discount (param $p i32)
    (i32.store offset=24 (i32.const 0) (i32.sub (i32.load offset=24 (i32.const 0))
      (i32.add (i32.load offset=8 (local.get $p)) (i32.const 12)))))

  (func $free (param $p i32)
    (call $discount (local.get $p))
    (call $free_room (local.get $p)))

  (func $free_room (param $p i32) (local $head i32)
    (local.set $head (i32.shl (call $class (i32.load offset=4 (local.get $p))) (i32.const 2)))
    (if (i32.gt_u (local.get $head) (i32.const 224)) (then (call $fail (i32.const 4)) unreachable))
    (i32.store (local.get $p) (i32.const -1))
    (i32.store offset=8 (local.get $p) (i32.load offset=192 (local.get $head)))
    (i32.store offset=192 (local.get $head) (local.get $p)))

  (func $retain (export "retain") (param $p i32) (result i32)
    (if (i32.gt_s (i32.load (local.get $p)) (i32.const 0))
      (then (i32.store (local.get $p) (i32.add (i32.load (local.get $p)) (i32.const 1)))))
    (local.get $p))

  (func $release (export "release") (param $p i32) (local $n i32)
    (if (i32.gt_s (local.tee $n (i32.load (local.get $p))) (i32.const 0))
      (then
        (if (i32.eq (local.get $n) (i32.const 1))
          (then (call $free (local.get $p)))
          (else (i32.store (local.get $p) (i32.sub (local.get $n) (i32.const 1))))))))

  (func $release_list (export "release_list") (param $p i32) (local $n i32) (local $i i32) (local $end i32)
    (if (i32.le_s (local.tee $n (i32.load (local.get $p))) (i32.const 0)) (then (return)))
    (if (i32.gt_s (local.get $n) (i32.const 1))
      (then (i32.store (local.get $p) (i32.sub (local.get $n) (i32.const 1))) (return)))
    (local.set $i (i32.add (local.get $p) (i32.const 12)))
    (local.set $end (i32.add (local.get $i) (i32.load offset=8 (local.get $p))))
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $i) (local.get $end)))
      (if (i32.gt_u (i32.load (local.get $i)) (i32.const 2)) (then (call $release (i32.load offset=4 (local.get $i)))))
      (local.set $i (i32.add (local.get $i) (i32.const 8)))
      (br $next)))
    (call $free (local.get $p)))

  ;; bulk work costs budget: one checkpoint for 64 bytes
  (func $spend (param $bytes i32)
    (i32.store offset=20 (i32.const 0)
      (i32.sub (i32.load offset=20 (i32.const 0)) (i32.shr_u (local.get $bytes) (i32.const 6)))))

  ;; ---- texts

  ;; a (owned) + b (borrowed) -> owned; in place when a is ours alone and has room
  (func $concat (export "concat") (param $a i32) (param $b i32) (result i32)
    (local $la i32) (local $lb i32) (local $n i32) (local $p i32) (local $mine i32)
    (local.set $la (i32.load offset=8 (local.get $a)))
    (local.set $lb (i32.load offset=8 (local.get $b)))
    (if (i32.eqz (local.get $lb)) (then (return (local.get $a))))
    (if (i32.eqz (local.get $la)) (then (call $release (local.get $a)) (return (call $retain (local.get $b)))))
    (local.set $n (i32.add (local.get $la) (local.get $lb)))
    (call $spend (local.get $lb))
    (if (i32.and (i32.eq (i32.load (local.get $a)) (i32.const 1))
          (i32.le_u (i32.add (local.get $n) (i32.const 12)) (i32.load offset=4 (local.get $a))))
      (then
        (call $charge (local.get $lb))
        (local.set $p (local.get $a)))
      (else
        (call $spend (local.get $la))
        ;; a block that is ours alone moves: it is never counted twice, however it lies physically
        (local.set $mine (i32.eq (i32.load (local.get $a)) (i32.const 1)))
        (if (local.get $mine) (then (call $discount (local.get $a))))
        (local.set $p (call $alloc_slack (local.get $n) (local.get $n)))
        (memory.copy (i32.add (local.get $p) (i32.const 12)) (i32.add (local.get $a) (i32.const 12)) (local.get $la))))
    (memory.copy (i32.add (i32.add (local.get $p) (i32.const 12)) (local.get $la))
      (i32.add (local.get $b) (i32.const 12)) (local.get $lb))
    (i32.store offset=8 (local.get $p) (local.get $n))
    (if (i32.ne (local.get $p) (local.get $a))
      (then (if (local.get $mine) (then (call $free_room (local.get $a))) (else (call $release (local.get $a))))))
    (local.get $p))

  (func $text_equal (export "text_equal") (param $a i32) (param $b i32) (result i32) (local $n i32) (local $i i32)
    (if (i32.eq (local.get $a) (local.get $b)) (then (return (i32.const 1))))
    (if (i32.ne (local.tee $n (i32.load offset=8 (local.get $a))) (i32.load offset=8 (local.get $b)))
      (then (return (i32.const 0))))
    (call $spend (local.get $n))
    (block $tail (loop $next
      (br_if $tail (i32.gt_u (i32.add (local.get $i) (i32.const 8)) (local.get $n)))
      (if (i64.ne (i64.load offset=12 (i32.add (local.get $a) (local.get $i)))
                  (i64.load offset=12 (i32.add (local.get $b) (local.get $i)))) (then (return (i32.const 0))))
      (local.set $i (i32.add (local.get $i) (i32.const 8)))
      (br $next)))
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
      (if (i32.ne (i32.load8_u offset=12 (i32.add (local.get $a) (local.get $i)))
                  (i32.load8_u offset=12 (i32.add (local.get $b) (local.get $i)))) (then (return (i32.const 0))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $next)))
    (i32.const 1))

  ;; a key is true when it is a UUID in its usual form and not all zeros
  (func $is_key (export "is_key") (param $p i32) (result i32) (local $i i32) (local $c i32) (local $any i32)
    (if (i32.ne (i32.load offset=8 (local.get $p)) (i32.const 36)) (then (return (i32.const 0))))
    (loop $next
      (local.set $c (i32.load8_u offset=12 (i32.add (local.get $p) (local.get $i))))
      (if (i32.or (i32.or (i32.eq (local.get $i) (i32.const 8)) (i32.eq (local.get $i) (i32.const 13)))
                  (i32.or (i32.eq (local.get $i) (i32.const 18)) (i32.eq (local.get $i) (i32.const 23))))
        (then (if (i32.ne (local.get $c) (i32.const 45)) (then (return (i32.const 0)))))
        (else
          (if (i32.and (i32.ge_u (i32.sub (local.get $c) (i32.const 48)) (i32.const 10))
                (i32.ge_u (i32.sub (i32.or (local.get $c) (i32.const 32)) (i32.const 97)) (i32.const 6)))
            (then (return (i32.const 0))))
          (local.set $any (i32.or (local.get $any) (i32.ne (local.get $c) (i32.const 48))))))
      (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 36))))
    (local.get $any))

  (func $integer_text (export "integer_text") (param $v i32) (result i32) (local $p i32) (local $u i32) (local $n i32)
    (local.set $u (select (i32.sub (i32.const 0) (local.get $v)) (local.get $v) (i32.lt_s (local.get $v) (i32.const 0))))
    (local.set $p (i32.const 480)) ;; the scratch bytes, filled from their end
    (loop $next
      (local.set $p (i32.sub (local.get $p) (i32.const 1)))
      (i32.store8 (local.get $p) (i32.add (i32.const 48) (i32.rem_u (local.get $u) (i32.const 10))))
      (br_if $next (local.tee $u (i32.div_u (local.get $u) (i32.const 10)))))
    (if (i32.lt_s (local.get $v) (i32.const 0))
      (then (local.set $p (i32.sub (local.get $p) (i32.const 1))) (i32.store8 (local.get $p) (i32.const 45))))
    (local.set $n (i32.sub (i32.const 480) (local.get $p)))
    (local.set $u (call $alloc (local.get $n)))
    (memory.copy (i32.add (local.get $u) (i32.const 12)) (local.get $p) (local.get $n))
    (local.get $u))

  ;; NaN and whatever does not fit in 32 bits give the smallest integer
  (func $to_integer (export "to_integer") (param $v f64) (result i32)
    (if (result i32) (f64.lt (f64.abs (local.get $v)) (f64.const 2147483648))
      (then (i32.trunc_f64_s (local.get $v)))
      (else (i32.const -2147483648))))

  ;; ---- lists: items {i32 type, i32 payload}

  (func $list_new (export "list_new") (param $items i32) (result i32)
    (call $alloc (i32.shl (local.get $items) (i32.const 3))))

  (func $retain_items (param $p i32) (param $bytes i32) (local $end i32)
    (local.set $end (i32.add (local.get $p) (local.get $bytes)))
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $p) (local.get $end)))
      (if (i32.gt_u (i32.load (local.get $p)) (i32.const 2)) (then (drop (call $retain (i32.load offset=4 (local.get $p))))))
      (local.set $p (i32.add (local.get $p) (i32.const 8)))
      (br $next))))

  ;; a (owned), made ready to take `more` bytes at its end: itself, or a copy with room to grow
  (func $list_grow (param $a i32) (param $more i32) (result i32)
    (local $la i32) (local $n i32) (local $p i32) (local $mine i32)
    (local.set $la (i32.load offset=8 (local.get $a)))
    (local.set $n (i32.add (local.get $la) (local.get $more)))
    (if (i32.and (i32.eq (i32.load (local.get $a)) (i32.const 1))
          (i32.le_u (i32.add (local.get $n) (i32.const 12)) (i32.load offset=4 (local.get $a))))
      (then
        (call $charge (local.get $more))
        (i32.store offset=8 (local.get $a) (local.get $n))
        (return (local.get $a))))
    (call $spend (local.get $n))
    (local.set $mine (i32.eq (i32.load (local.get $a)) (i32.const 1)))
    (if (local.get $mine) (then (call $discount (local.get $a))))
    (local.set $p (call $alloc_slack (local.get $n) (local.get $n)))
    (memory.copy (i32.add (local.get $p) (i32.const 12)) (i32.add (local.get $a) (i32.const 12)) (local.get $la))
    (if (local.get $mine)
      (then (call $free_room (local.get $a))) ;; its items moved
      (else
        (call $retain_items (i32.add (local.get $p) (i32.const 12)) (local.get $la))
        (call $release_list (local.get $a))))
    (local.get $p))

  ;; a (owned) + one item (owned) -> owned
  (func $list_push (export "list_push") (param $a i32) (param $tag i32) (param $payload i32) (result i32) (local $at i32)
    (local.set $a (call $list_grow (local.get $a) (i32.const 8)))
    (local.set $at (i32.add (local.get $a) (i32.load offset=8 (local.get $a))))
    (i32.store offset=4 (local.get $at) (local.get $tag))
    (i32.store offset=8 (local.get $at) (local.get $payload))
    (local.get $a))

  ;; a (owned) + b (borrowed) -> owned
  (func $list_concat (export "list_concat") (param $a i32) (param $b i32) (result i32) (local $la i32) (local $lb i32)
    (local.set $la (i32.load offset=8 (local.get $a)))
    (local.set $lb (i32.load offset=8 (local.get $b)))
    (if (i32.eqz (local.get $lb)) (then (return (local.get $a))))
    (if (i32.eqz (local.get $la)) (then (call $release_list (local.get $a)) (return (call $retain (local.get $b)))))
    (local.set $a (call $list_grow (local.get $a) (local.get $lb)))
    (local.set $la (i32.add (i32.add (local.get $a) (i32.const 12)) (local.get $la)))
    (memory.copy (local.get $la) (i32.add (local.get $b) (i32.const 12)) (local.get $lb))
    (call $retain_items (local.get $la) (local.get $lb))
    (call $spend (local.get $lb))
    (local.get $a))

  (func $box3 (export "box3") (param $x f32) (param $y f32) (param $z f32) (result i32) (local $p i32)
    (local.set $p (call $alloc (i32.const 12)))
    (f32.store offset=12 (local.get $p) (local.get $x))
    (f32.store offset=16 (local.get $p) (local.get $y))
    (f32.store offset=20 (local.get $p) (local.get $z))
    (local.get $p))

  (func $box4 (export "box4") (param $x f32) (param $y f32) (param $z f32) (param $s f32) (result i32) (local $p i32)
    (local.set $p (call $alloc (i32.const 16)))
    (f32.store offset=12 (local.get $p) (local.get $x))
    (f32.store offset=16 (local.get $p) (local.get $y))
    (f32.store offset=20 (local.get $p) (local.get $z))
    (f32.store offset=24 (local.get $p) (local.get $s))
    (local.get $p))

  ;; ---- vectors and rotations: 64 bits inside, 32 bits out
  (func $dot (export "dot") (param $a f32) (param $b f32) (param $c f32) (param $x f32) (param $y f32) (param $z f32) (result f32)
    (f32.demote_f64 (f64.add (f64.add (f64.mul (f64.promote_f32 (local.get $a)) (f64.promote_f32 (local.get $x))) (f64.mul (f64.promote_f32 (local.get $b)) (f64.promote_f32 (local.get $y)))) (f64.mul (f64.promote_f32 (local.get $c)) (f64.promote_f32 (local.get $z))))))

  (func $cross (export "cross") (param $a f32) (param $b f32) (param $c f32) (param $x f32) (param $y f32) (param $z f32)
    (result f32 f32 f32)
    (f32.demote_f64 (f64.sub (f64.mul (f64.promote_f32 (local.get $b)) (f64.promote_f32 (local.get $z))) (f64.mul (f64.promote_f32 (local.get $c)) (f64.promote_f32 (local.get $y)))))
    (f32.demote_f64 (f64.sub (f64.mul (f64.promote_f32 (local.get $c)) (f64.promote_f32 (local.get $x))) (f64.mul (f64.promote_f32 (local.get $a)) (f64.promote_f32 (local.get $z)))))
    (f32.demote_f64 (f64.sub (f64.mul (f64.promote_f32 (local.get $a)) (f64.promote_f32 (local.get $y))) (f64.mul (f64.promote_f32 (local.get $b)) (f64.promote_f32 (local.get $x))))))

  ;; vector (a b c) turned by rotation (x y z s)
  (func $turn (export "turn") (param $a f32) (param $b f32) (param $c f32)
    (param $x f32) (param $y f32) (param $z f32) (param $s f32) (result f32 f32 f32)
    (local $rw f64) (local $rx f64) (local $ry f64) (local $rz f64)
    (local.set $rw (f64.sub (f64.sub (f64.neg (f64.mul (f64.promote_f32 (local.get $x)) (f64.promote_f32 (local.get $a)))) (f64.mul (f64.promote_f32 (local.get $y)) (f64.promote_f32 (local.get $b)))) (f64.mul (f64.promote_f32 (local.get $z)) (f64.promote_f32 (local.get $c)))))
    (local.set $rx (f64.sub (f64.add (f64.mul (f64.promote_f32 (local.get $s)) (f64.promote_f32 (local.get $a))) (f64.mul (f64.promote_f32 (local.get $y)) (f64.promote_f32 (local.get $c)))) (f64.mul (f64.promote_f32 (local.get $z)) (f64.promote_f32 (local.get $b)))))
    (local.set $ry (f64.sub (f64.add (f64.mul (f64.promote_f32 (local.get $s)) (f64.promote_f32 (local.get $b))) (f64.mul (f64.promote_f32 (local.get $z)) (f64.promote_f32 (local.get $a)))) (f64.mul (f64.promote_f32 (local.get $x)) (f64.promote_f32 (local.get $c)))))
    (local.set $rz (f64.sub (f64.add (f64.mul (f64.promote_f32 (local.get $s)) (f64.promote_f32 (local.get $c))) (f64.mul (f64.promote_f32 (local.get $x)) (f64.promote_f32 (local.get $b)))) (f64.mul (f64.promote_f32 (local.get $y)) (f64.promote_f32 (local.get $a)))))
    (f32.demote_f64 (f64.add (f64.sub (f64.add (f64.neg (f64.mul (local.get $rw) (f64.promote_f32 (local.get $x)))) (f64.mul (local.get $rx) (f64.promote_f32 (local.get $s)))) (f64.mul (local.get $ry) (f64.promote_f32 (local.get $z)))) (f64.mul (local.get $rz) (f64.promote_f32 (local.get $y)))))
    (f32.demote_f64 (f64.add (f64.sub (f64.add (f64.neg (f64.mul (local.get $rw) (f64.promote_f32 (local.get $y)))) (f64.mul (local.get $ry) (f64.promote_f32 (local.get $s)))) (f64.mul (local.get $rz) (f64.promote_f32 (local.get $x)))) (f64.mul (local.get $rx) (f64.promote_f32 (local.get $z)))))
    (f32.demote_f64 (f64.add (f64.sub (f64.add (f64.neg (f64.mul (local.get $rw) (f64.promote_f32 (local.get $z)))) (f64.mul (local.get $rz) (f64.promote_f32 (local.get $s)))) (f64.mul (local.get $rx) (f64.promote_f32 (local.get $y)))) (f64.mul (local.get $ry) (f64.promote_f32 (local.get $x))))))

  ;; rotation (a b c d) and then rotation (x y z s)
  (func $compose (export "compose") (param $a f32) (param $b f32) (param $c f32) (param $d f32)
    (param $x f32) (param $y f32) (param $z f32) (param $s f32) (result f32 f32 f32 f32)
    (f32.demote_f64 (f64.sub (f64.add (f64.add (f64.mul (f64.promote_f32 (local.get $s)) (f64.promote_f32 (local.get $a))) (f64.mul (f64.promote_f32 (local.get $x)) (f64.promote_f32 (local.get $d)))) (f64.mul (f64.promote_f32 (local.get $y)) (f64.promote_f32 (local.get $c)))) (f64.mul (f64.promote_f32 (local.get $z)) (f64.promote_f32 (local.get $b)))))
    (f32.demote_f64 (f64.sub (f64.add (f64.add (f64.mul (f64.promote_f32 (local.get $s)) (f64.promote_f32 (local.get $b))) (f64.mul (f64.promote_f32 (local.get $y)) (f64.promote_f32 (local.get $d)))) (f64.mul (f64.promote_f32 (local.get $z)) (f64.promote_f32 (local.get $a)))) (f64.mul (f64.promote_f32 (local.get $x)) (f64.promote_f32 (local.get $c)))))
    (f32.demote_f64 (f64.sub (f64.add (f64.add (f64.mul (f64.promote_f32 (local.get $s)) (f64.promote_f32 (local.get $c))) (f64.mul (f64.promote_f32 (local.get $z)) (f64.promote_f32 (local.get $d)))) (f64.mul (f64.promote_f32 (local.get $x)) (f64.promote_f32 (local.get $b)))) (f64.mul (f64.promote_f32 (local.get $y)) (f64.promote_f32 (local.get $a)))))
    (f32.demote_f64 (f64.sub (f64.sub (f64.sub (f64.mul (f64.promote_f32 (local.get $s)) (f64.promote_f32 (local.get $d))) (f64.mul (f64.promote_f32 (local.get $x)) (f64.promote_f32 (local.get $a)))) (f64.mul (f64.promote_f32 (local.get $y)) (f64.promote_f32 (local.get $b)))) (f64.mul (f64.promote_f32 (local.get $z)) (f64.promote_f32 (local.get $c))))))

  ;; ---- ll* functions that scripts call most. The library's Python versions say what they do; tests compare the two.

  (func (export "llGetListLength") (param $p i32) (result i32)
    (i32.shr_u (i32.load offset=8 (local.get $p)) (i32.const 3)))

  ;; where an item lies, counted from the end when negative; 0 when there is none
  (func $item_at (param $p i32) (param $i i32) (result i32) (local $n i32)
    (local.set $n (i32.shr_u (i32.load offset=8 (local.get $p)) (i32.const 3)))
    (if (i32.lt_s (local.get $i) (i32.const 0)) (then (local.set $i (i32.add (local.get $i) (local.get $n)))))
    (if (i32.ge_u (local.get $i) (local.get $n)) (then (return (i32.const 0))))
    (i32.add (i32.add (local.get $p) (i32.const 12)) (i32.shl (local.get $i) (i32.const 3))))

  (func (export "llGetListEntryType") (param $p i32) (param $i i32) (result i32)
    (if (result i32) (local.tee $p (call $item_at (local.get $p) (local.get $i)))
      (then (i32.load (local.get $p))) (else (i32.const 0))))

  (func (export "llList2Integer") (param $p i32) (param $i i32) (result i32) (local $tag i32)
    (if (i32.eqz (local.tee $p (call $item_at (local.get $p) (local.get $i)))) (then (return (i32.const 0))))
    (local.set $tag (i32.load (local.get $p)))
    (if (i32.eq (local.get $tag) (i32.const 1)) (then (return (i32.load offset=4 (local.get $p)))))
    (if (i32.eq (local.get $tag) (i32.const 2))
      (then (return (call $to_integer (f64.promote_f32 (f32.load offset=4 (local.get $p)))))))
    (if (i32.eq (local.get $tag) (i32.const 3)) (then (return (call $text_integer (i32.load offset=4 (local.get $p))))))
    (i32.const 0))

  (func (export "llList2Float") (param $p i32) (param $i i32) (result f32) (local $tag i32)
    (if (i32.eqz (local.tee $p (call $item_at (local.get $p) (local.get $i)))) (then (return (f32.const 0))))
    (local.set $tag (i32.load (local.get $p)))
    (if (i32.eq (local.get $tag) (i32.const 1)) (then (return (f32.convert_i32_s (i32.load offset=4 (local.get $p))))))
    (if (i32.eq (local.get $tag) (i32.const 2)) (then (return (f32.load offset=4 (local.get $p)))))
    (if (i32.eq (local.get $tag) (i32.const 3)) (then (return (call $text_float (i32.load offset=4 (local.get $p))))))
    (f32.const 0))

  (func (export "llList2String") (param $p i32) (param $i i32) (result i32) (local $tag i32)
    (if (i32.eqz (local.tee $p (call $item_at (local.get $p) (local.get $i)))) (then (return (i32.const 0))))
    (local.set $tag (i32.load (local.get $p)))
    (if (i32.eq (local.get $tag) (i32.const 1)) (then (return (call $integer_text (i32.load offset=4 (local.get $p))))))
    (if (i32.eq (local.get $tag) (i32.const 2)) (then (return (call $float_text (f32.load offset=4 (local.get $p))))))
    (if (i32.lt_u (local.get $tag) (i32.const 5)) (then (return (call $retain (i32.load offset=4 (local.get $p))))))
    (call $item_text (local.get $tag) (i32.load offset=4 (local.get $p))))

  ;; items [from, to) in a list of their own
  (func $list_slice (param $p i32) (param $from i32) (param $to i32) (result i32) (local $n i32) (local $q i32)
    (if (i32.ge_s (local.get $from) (local.get $to)) (then (return (i32.const 0)))) ;; before 8 bytes an item wrap
    (local.set $n (i32.shl (i32.sub (local.get $to) (local.get $from)) (i32.const 3)))
    (call $spend (local.get $n))
    (local.set $q (call $alloc (local.get $n)))
    (memory.copy (i32.add (local.get $q) (i32.const 12))
      (i32.add (i32.add (local.get $p) (i32.const 12)) (i32.shl (local.get $from) (i32.const 3))) (local.get $n))
    (call $retain_items (i32.add (local.get $q) (i32.const 12)) (local.get $n))
    (local.get $q))

  (func $least (param $a i32) (param $b i32) (result i32)
    (select (local.get $a) (local.get $b) (i32.lt_s (local.get $a) (local.get $b))))
  (func $most (param $a i32) (param $b i32) (result i32)
    (select (local.get $a) (local.get $b) (i32.gt_s (local.get $a) (local.get $b))))

  ;; start and end count from the end when negative; start after end leaves out what is between them
  (func (export "llList2List") (param $p i32) (param $start i32) (param $end i32) (result i32)
    (local $n i32) (local $head i32) (local $tail i32)
    (local.set $n (i32.shr_u (i32.load offset=8 (local.get $p)) (i32.const 3)))
    (if (i32.lt_s (local.get $start) (i32.const 0)) (then (local.set $start (i32.add (local.get $start) (local.get $n)))))
    (if (i32.lt_s (local.get $end) (i32.const 0)) (then (local.set $end (i32.add (local.get $end) (local.get $n)))))
    (if (i32.le_s (local.get $start) (local.get $end)) (then (return (call $list_slice (local.get $p)
      (call $most (local.get $start) (i32.const 0))
      (i32.add (call $least (local.get $end) (i32.sub (local.get $n) (i32.const 1))) (i32.const 1))))))
    (local.set $head (call $list_slice (local.get $p) (i32.const 0)
      (i32.add (call $least (local.get $end) (i32.sub (local.get $n) (i32.const 1))) (i32.const 1))))
    (local.set $tail (call $list_slice (local.get $p) (call $most (local.get $start) (i32.const 0)) (local.get $n)))
    (local.set $head (call $list_concat (local.get $head) (local.get $tail)))
    (call $release_list (local.get $tail))
    (local.get $head))

  ;; characters of a text: bytes that don't continue one, eight at a time
  (func $characters (export "llStringLength") (param $p i32) (result i32) (local $n i32) (local $i i32) (local $extra i32) (local $x i64)
    (local.set $n (i32.load offset=8 (local.get $p)))
    (call $spend (local.get $n))
    (block $tail (loop $next
      (br_if $tail (i32.gt_u (i32.add (local.get $i) (i32.const 8)) (local.get $n)))
      (local.set $x (i64.load offset=12 (i32.add (local.get $p) (local.get $i))))
      (local.set $extra (i32.add (local.get $extra) (i32.wrap_i64 (i64.popcnt (i64.and (i64.const 0x0101010101010101)
        (i64.and (i64.shr_u (local.get $x) (i64.const 7))
          (i64.xor (i64.shr_u (local.get $x) (i64.const 6)) (i64.const -1))))))))
      (local.set $i (i32.add (local.get $i) (i32.const 8)))
      (br $next)))
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
      (local.set $extra (i32.add (local.get $extra) (i32.eq (i32.const 128)
        (i32.and (i32.load8_u offset=12 (i32.add (local.get $p) (local.get $i))) (i32.const 192)))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $next)))
    (i32.sub (local.get $n) (local.get $extra)))

  ;; the byte where character `i` begins
  (func $byte_of (param $p i32) (param $i i32) (result i32) (local $at i32) (local $n i32)
    (local.set $n (i32.load offset=8 (local.get $p)))
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $at) (local.get $n)))
      (if (i32.ne (i32.and (i32.load8_u offset=12 (i32.add (local.get $p) (local.get $at))) (i32.const 192)) (i32.const 128))
        (then
          (br_if $done (i32.eqz (local.get $i)))
          (local.set $i (i32.sub (local.get $i) (i32.const 1)))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br $next)))
    (local.get $at))

  ;; characters [from, to) in a text of their own
  (func $text_slice (param $p i32) (param $from i32) (param $to i32) (param $ascii i32) (result i32) (local $q i32)
    (if (i32.ge_s (local.get $from) (local.get $to)) (then (return (i32.const 0))))
    (if (i32.eqz (local.get $ascii)) (then
      (local.set $from (call $byte_of (local.get $p) (local.get $from)))
      (local.set $to (call $byte_of (local.get $p) (local.get $to)))
      (call $spend (local.get $to))))
    (local.set $to (i32.sub (local.get $to) (local.get $from)))
    (if (i32.le_s (local.get $to) (i32.const 0)) (then (return (i32.const 0))))
    (local.set $q (call $alloc (local.get $to)))
    (memory.copy (i32.add (local.get $q) (i32.const 12)) (i32.add (i32.add (local.get $p) (i32.const 12)) (local.get $from))
      (local.get $to))
    (local.get $q))

  (func (export "llGetSubString") (param $p i32) (param $start i32) (param $end i32) (result i32)
    (local $n i32) (local $head i32) (local $tail i32) (local $ascii i32)
    (local.set $n (call $characters (local.get $p)))
    (local.set $ascii (i32.eq (local.get $n) (i32.load offset=8 (local.get $p))))
    (if (i32.lt_s (local.get $start) (i32.const 0)) (then (local.set $start (i32.add (local.get $start) (local.get $n)))))
    (if (i32.lt_s (local.get $end) (i32.const 0)) (then (local.set $end (i32.add (local.get $end) (local.get $n)))))
    (if (i32.le_s (local.get $start) (local.get $end)) (then (return (call $text_slice (local.get $p)
      (call $most (local.get $start) (i32.const 0))
      (i32.add (call $least (local.get $end) (i32.sub (local.get $n) (i32.const 1))) (i32.const 1)) (local.get $ascii)))))
    (local.set $head (call $text_slice (local.get $p) (i32.const 0)
      (i32.add (call $least (local.get $end) (i32.sub (local.get $n) (i32.const 1))) (i32.const 1)) (local.get $ascii)))
    (local.set $tail (call $text_slice (local.get $p) (call $most (local.get $start) (i32.const 0)) (local.get $n)
      (local.get $ascii)))
    (local.set $head (call $concat (local.get $head) (local.get $tail)))
    (call $release (local.get $tail))
    (local.get $head))

  (func (export "llAbs") (param $v i32) (result i32)
    (select (i32.sub (i32.const 0) (local.get $v)) (local.get $v) (i32.lt_s (local.get $v) (i32.const 0))))
  (func (export "llFabs") (param $v f32) (result f32) (f32.abs (local.get $v)))
  (func (export "llFloor") (param $v f32) (result i32) (call $to_integer (f64.floor (f64.promote_f32 (local.get $v)))))
  (func (export "llCeil") (param $v f32) (result i32) (call $to_integer (f64.ceil (f64.promote_f32 (local.get $v)))))
)
