//! COLD: the UTF-8 sequences of sections 6.5 to 6.23.

fn hex(digits: &str) -> Vec<u8> {
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

/// Sequences of sections 6.5 to 6.23: what they are and whether they are valid.
pub fn utf8_sequences() -> Vec<(usize, Vec<u8>, bool)> {
    let mut all: Vec<(usize, Vec<u8>, bool)> = Vec::new();
    let mut add = |section: usize, valid: bool, sequences: &[&str]| {
        all.extend(sequences.iter().map(|digits| (section, hex(digits), valid)));
    };
    add(
        5,
        true,
        &["68656c6c6f2432c2a224e282ac24f0a4ada2", "cebae1bdb9cf83cebcceb5", "c2b5c39fc3b6", "e282ac", "f0a4ada2"],
    );
    add(7, true, &["00", "c280", "e0a080", "f0908080"]);
    add(8, false, &["f888808080", "fc8480808080"]);
    add(9, true, &["7f", "dfbf", "efbfbf", "f48fbfbf"]);
    add(10, false, &["f7bfbfbf", "fbbfbfbfbf", "fdbfbfbfbfbf"]);
    add(11, true, &["ed9fbf", "ee8080", "efbfbd", "f48fbfbf"]);
    add(11, false, &["f4908080"]);
    add(12, false, &["80", "bf", "80bf", "80bf80", "80bf80bf", "80bf80bf80", "80bf80bf80bf"]);
    add(14, false, &["c0", "e080", "f08080", "f8808080", "fc80808080"]);
    add(14, false, &["df", "efbf", "f7bfbf", "fbbfbfbf", "fdbfbfbfbf"]);
    add(15, false, &["c0e080f08080f8808080fc80808080dfefbff7bfbffbbfbfbffdbfbfbfbf"]);
    add(16, false, &["fe", "ff", "fefeffff"]);
    add(17, false, &["c0af", "e080af", "f08080af", "f8808080af", "fc80808080af"]);
    add(18, false, &["c1bf", "e09fbf", "f08fbfbf", "f887bfbfbf", "fc83bfbfbfbf"]);
    add(19, false, &["c080", "e08080", "f0808080", "f880808080", "fc8080808080"]);
    add(20, false, &["eda080", "edadbf", "edae80", "edafbf", "edb080", "edbe80", "edbfbf"]);
    add(21, false, &["eda080edb080", "eda080edbfbf", "edadbfedb080", "edadbfedbfbf"]);
    add(21, false, &["edae80edb080", "edae80edbfbf", "edafbfedb080", "edafbfedbfbf"]);
    add(23, true, &["efbfb9", "efbfba", "efbfbb", "efbfbc", "efbfbd", "efbfbe", "efbfbf"]);
    all.push((12, (0x80..=0xbf).collect(), false));
    for (first, last) in [(0xc0u8, 0xdfu8), (0xe0, 0xef), (0xf0, 0xf7), (0xf8, 0xfb), (0xfc, 0xfd)] {
        all.push((13, (first..=last).flat_map(|byte| [byte, b' ']).collect(), false));
    }
    let greek = super::GREEK.as_bytes();
    for length in 1..=greek.len() {
        all.push((6, greek[..length].to_vec(), std::str::from_utf8(&greek[..length]).is_ok()));
    }
    for plane in 0..=16u32 {
        for last in [0xfffe, 0xffff] {
            let character = char::from_u32(plane << 16 | last).unwrap();
            all.push((22, character.to_string().into_bytes(), true));
        }
    }
    all
}
