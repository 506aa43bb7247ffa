//! Blocks written out by hand from the module docs: what is stored once must be read for ever.

use crate::codec::{BLOCK, bitmap, floats, integers, text};

/// The bytes, then the packed codes of up to 32 rows: a word of 32 bits a lane, these first.
fn packed(fields: &[u8], codes: &[u8]) -> Vec<u8> {
    let mut bytes = fields.to_vec();
    bytes.extend(codes.iter().flat_map(|&code| u32::from(code).to_le_bytes()));
    bytes.resize(fields.len() + 128, 0);
    bytes
}

fn integers_of<const ROWS: usize>(bytes: &[u8]) -> [i64; ROWS] {
    let mut out = [0; BLOCK];
    assert!(integers::decode(bytes, ROWS, &mut out));
    *out.first_chunk().unwrap()
}

#[test]
fn integer_blocks_are_read_as_described() {
    // Constant: zig-zag −3.
    assert_eq!(integers_of(&[0, 5]), [-3, -3]);
    // Whole bytes: base −1, one byte each.
    assert_eq!(integers_of(&[1, 1, 1, 0, 255]), [-1, 254]);
    // Frame: base 10, scale 5, 2 bits, no exception.
    assert_eq!(integers_of(&packed(&[2, 20, 5, 2, 0], &[0, 3, 1])), [10, 25, 15]);
    // Frame with one exception of one byte at row 1: zig-zag code 50.
    assert_eq!(
        integers_of(&packed(&[2, 20, 5, 2, 1, 1, 1, 0, 100], &[1, 0, 2])),
        [15, 260, 20]
    );
    // Delta: first 7, scale 2, steps from −1 on.
    assert_eq!(integers_of(&packed(&[3, 14, 2, 1, 2, 0], &[0, 3, 0, 1])), [7, 11, 9, 9]);
    // Linear: base 100, scale 1, slope 3/2, two pieces: the second after 3 rows, 50 higher.
    assert_eq!(
        integers_of(&packed(&[4, 0xC8, 1, 1, 3, 1, 1, 3, 100, 1, 0], &[0, 1, 0, 0, 1])),
        [100, 102, 103, 150, 152]
    );
    // Runs: two, of the constants 4 and 9, of lengths 1 and 2 in whole bytes.
    assert_eq!(integers_of(&[5, 2, 5, 1, 0, 1, 4, 9, 1, 0, 1, 1, 2]), [4, 9, 9]);
    // Dictionary: −5 and 8 as whole bytes above −5, places of one bit.
    assert_eq!(integers_of(&packed(&[6, 2, 5, 1, 9, 1, 0, 13], &[1, 0, 1])), [8, -5, 8]);
}

#[test]
fn dense_integer_blocks_are_read_as_described() {
    // The blocks of a frame: the last one, of three bytes as they are.
    let upper = [25, 0, 0, 0, 2, 1];
    // Frame: base 10, scale 5, one lower bit, no exception.
    let fields = [&[7, 20, 5, 1, 0, 6][..], &upper].concat();
    assert_eq!(integers_of(&packed(&fields, &[1, 0, 1])), [15, 30, 25]);
    // Frame with an exception of one byte at row 1, zig-zag code 50, and no lower bits.
    let fields = [&[7, 20, 5, 0, 1, 1, 1, 0, 100, 6][..], &upper].concat();
    assert_eq!(integers_of(&fields), [10, 260, 15]);
    // Delta: first 7, scale 2, steps from −1 on.
    let fields = [&[8, 14, 2, 1, 0, 0, 6][..], &upper].concat();
    assert_eq!(integers_of(&fields), [7, 9, 9]);
    // Linear: base 100, scale 1, slope 3/2, one piece.
    let fields = [&[9, 0xC8, 1, 1, 3, 1, 0, 0, 0, 6][..], &upper].concat();
    assert_eq!(integers_of(&fields), [100, 103, 104]);
    // More than 255 rows: one block that says a byte so many times, 2 here.
    let repeated = [&[7, 0, 1, 0, 0, 4][..], &[0x03, 0x20, 0x00, 2]].concat();
    assert_eq!(integers_of::<1024>(&repeated), [2; 1024]);
}

#[test]
fn blocks_of_doubles_are_read_as_described() {
    let read = |bytes: &[u8]| {
        let mut out = [0.0; BLOCK];
        assert!(floats::decode(bytes, 2, &mut out));
        [out[0], out[1]]
    };
    // Bits: those of 0, a constant.
    assert_eq!(read(&[16, 0, 0]), [0.0, 0.0]);
    // Decimals in hundredths: 123 and 250.
    assert_eq!(read(&[17, 2, 0, 1, 0, 1, 123, 250]), [1.23, 2.5]);
    // Decimals by multiplying with 0.1: 3 is not 0.3 then.
    assert_eq!(read(&[17, 33, 0, 1, 0, 1, 3, 4]), [3.0 * 0.1, 0.4]);
    // Decimals with one exception at row 1, of the bits 2.
    assert_eq!(read(&[17, 0, 1, 2, 0, 2, 2, 0, 4, 0, 14]), [7.0, f64::from_bits(2)]);
    // Real doubles: lower parts of 48 bits, one upper part; 64-bit words, of which the lanes 0 and 1 hold the rows.
    let mut real = vec![18, 48, 1, 0xF0, 0x3F, 0];
    real.extend_from_slice(&1u64.to_le_bytes());
    real.extend_from_slice(&2u64.to_le_bytes());
    real.resize(6 + 128, 0);
    assert_eq!(
        read(&real),
        [
            f64::from_bits(0x3FF0_0000_0000_0001),
            f64::from_bits(0x3FF0_0000_0000_0002)
        ]
    );
}

#[test]
fn blocks_of_bits_are_read_as_described() {
    let read = |bytes: &[u8]| {
        let mut out = [0; bitmap::WORDS];
        assert!(bitmap::decode(bytes, 12, &mut out));
        out[0]
    };
    assert_eq!(read(&[32]), 0);
    assert_eq!(read(&[33]), 0xFFF);
    assert_eq!(read(&[34, 0x81, 0x0A]), 0xA81);
    // Changes at rows 4 and 7.
    assert_eq!(read(&[35, 2, 1, 0, 1, 4, 7]), 0x070);
}

#[test]
fn blocks_of_texts_are_read_as_described() {
    let read = |bytes: &[u8]| {
        let texts = text::decode(bytes, 3).unwrap();
        [0, 1, 2].map(|row| texts.get(row).to_owned())
    };
    // Plain: lengths 0, 1 and 3 in whole bytes above 0.
    assert_eq!(
        read(&[48, 6, 1, 0, 1, 0, 1, 3, b'a', 0xE8, 0xAA, 0x9E]),
        ["", "a", "語"]
    );
    // Zstandard: lengths of 2; a frame of one segment, 6 bytes, the last block, as it is.
    let frame = [0x28, 0xB5, 0x2F, 0xFD, 0x20, 6, 0x31, 0, 0];
    assert_eq!(
        read(&[&[49, 2, 0, 4], &frame[..], b"abcdef"].concat()),
        ["ab", "cd", "ef"]
    );
    // Dictionary: two texts of one byte, plain, behind their 6 bytes; places in whole bytes above 0.
    assert_eq!(
        read(&[50, 2, 6, 48, 2, 0, 2, b'x', b'y', 1, 0, 1, 0, 1, 0]),
        ["x", "y", "x"]
    );
}
