//! Against bytes that the reference encoder of EDK II packed (`EfiCompress`), and against anything else.

use proptest::prelude::*;

use super::{UnpackError, unpack_begin};

/// 1,100 bytes of [`plain`], packed.
const PACKED: &str = "\
    f00100004c040000022c62baebc2b3fea5eb05e6d2d0b6f68ec264a464e0141aca14b04de9c16e07652e84ddbbfbbd90c096\
    3ce08ca50ad2dc1381e1ea4e06a4b51ad3584703227b8c9457b4b59a9bd3fef824f910f846b6040c34a14319bb018daf4d36\
    3a06bf56061972025b56a028176712a68ba0f1d05c90317c0e4ceb0470efa17b20494ddc31b41e202e751ba783edb501a5c0\
    d245025ab0b80c26849d7066040887854e6102de41611f10b2e6375ad21916578deecb2500d153075016d6deb03bbe7dfabc\
    ad52f9c8fa5a8ae4e321526228421be37d86e0515cb79ac7e575afd9835fce321a3e3e548b59a8030644343914c3ee800573\
    c757fb87bf296b1233a10ac58a3c2873bd153e4c3b248504882fff17c10702e7076fdd90096163d79b90f906b00fb1584faa\
    cf7db231bb692786cd9cb701b84e391c9046735c2d6579f88dcfa21f839082d82dd0b32475a45bd026623f3746beef4a1f14\
    1e9cad5c61b343082db124033a32d948990e9a9773ec22417c5b17b9539e4c5862f6955dea0442bde186fae7b5adfa2fe7cf\
    e15d076b26a7dfab7dcfb0e772cb6871fb26d8de2dbc81d274df5d2e20a4bce63e85300f2456889e82cbb472109ad83f40be\
    902f09df08f2883440461de7b32554ea4f3b85dff9ab24f5893033a9cdf5148fdd3b1344743eff5ea4b7b689edcc56bff3fb\
    3fdf8300\
";

/// 50 times the letter x, packed: tables of a single symbol.
const XS: &str = "0b000000320000000002200432f19250c01000";

fn bytes(digits: &str) -> Vec<u8> {
    let digits: Vec<u32> = digits.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|two| u8::try_from(two[0] * 16 + two[1]).expect("two digits")).collect()
}

/// Words, noise and a run, by a fixed rule.
fn plain() -> Vec<u8> {
    let mut seed = 1u32;
    let step = |_| {
        seed = seed.wrapping_mul(1_103_515_245).wrapping_add(12345) & 0x7fff_ffff;
        let [_, _, noisy, _] = seed.to_be_bytes();
        let word = usize::try_from((seed >> 16) % 9).expect("below 9");
        if (seed >> 20).is_multiple_of(3) { noisy } else { b"passthru "[word] }
    };
    let noise: Vec<u8> = (0..600).map(step).collect();
    [&noise, [b'a'; 300].as_slice(), &noise[..200]].concat()
}

#[test]
fn what_the_reference_encoder_packed_is_unpacked() {
    assert_eq!(unpack_begin(&bytes(PACKED), 1 << 20).as_deref(), Ok(plain().as_slice()));
    assert_eq!(unpack_begin(&bytes(XS), 1 << 20), Ok(vec![b'x'; 50]));
}

#[test]
fn only_as_much_is_unpacked_as_is_asked_for() {
    for most in [0, 1, 300, 777] {
        assert_eq!(unpack_begin(&bytes(PACKED), most).as_deref(), Ok(&plain()[..most]));
    }
}

#[test]
fn a_packed_text_that_ends_too_soon_is_refused_with_its_reason() {
    let mut cut = bytes(PACKED);
    assert_eq!(unpack_begin(&cut[..100], 4096), Err(UnpackError::CutShort));
    assert_eq!(unpack_begin(&[], 4096), Err(UnpackError::CutShort));
    // A header that asks for more than there is takes no memory for it.
    cut[4..8].copy_from_slice(&[0xff; 4]);
    assert!(unpack_begin(&cut, usize::MAX).is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_go_on_for_ever(
        body in proptest::collection::vec(any::<u8>(), 0..400),
        changes in proptest::collection::vec((8usize..400, any::<u8>()), 0..8),
    ) {
        let size = u32::try_from(body.len()).expect("small").to_le_bytes();
        let made = [&size, &[0, 0, 1, 0], body.as_slice()].concat();
        prop_assert!(unpack_begin(&made, 4096).map_or(0, |out| out.len()) <= 4096);
        let mut packed = bytes(PACKED);
        for (at, value) in changes {
            packed[at] = value;
        }
        prop_assert!(unpack_begin(&packed, 4096).map_or(0, |out| out.len()) <= 4096);
    }
}
