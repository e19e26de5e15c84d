//! COLD: the 301 base cases of the Autobahn test suite for a client (sections 1-7, 9, 10), rebuilt as a table.
//!
//! The server's bytes are made here; the client is the reader and writer of `websocket.rs` with the replies that any
//! endpoint owes. Every case is judged strictly: the echo, the pongs, and the close code that the client sends.

mod utf8;

use std::collections::BTreeMap;

use spinbook_feed::record::PlaintextBuffer;
use spinbook_feed::websocket::{MessageReader, Opcode, WebSocketMessage, apply_mask, write_frame};

const MESSAGE_MAX: usize = 16 << 20;
/// Eleven bytes: the second letter is U+1F79, three bytes long.
const GREEK: &str = "κ\u{1f79}σμε";
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// What the client sent back, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Sent {
    Echo(bool, Vec<u8>),
    Pong(Vec<u8>),
    Close(u16),
}

/// An echoing client.
struct Client {
    reader: MessageReader,
    input: PlaintextBuffer,
    sent: Vec<Sent>,
    closed: bool,
}

impl Client {
    fn new() -> Client {
        Client::with_cap(MESSAGE_MAX)
    }

    fn with_cap(message_bytes_max: usize) -> Client {
        Client {
            reader: MessageReader::new(message_bytes_max),
            input: PlaintextBuffer::new(message_bytes_max),
            sent: Vec::new(),
            closed: false,
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        if self.closed {
            return;
        }
        assert_eq!(self.input.append(bytes), bytes.len());
        loop {
            let sent = match self.reader.next(&mut self.input) {
                Ok(None) => return,
                Ok(Some(WebSocketMessage::Text { padded, length })) => Sent::Echo(true, padded[..length].to_vec()),
                Ok(Some(WebSocketMessage::Binary { padded, length })) => Sent::Echo(false, padded[..length].to_vec()),
                Ok(Some(WebSocketMessage::Ping(payload))) => Sent::Pong(payload.to_vec()),
                Ok(Some(WebSocketMessage::Pong(_))) => continue,
                Ok(Some(WebSocketMessage::Close { code, .. })) => Sent::Close(code.unwrap_or(1000)),
                Err(error) => Sent::Close(error.close_code()),
            };
            self.closed = matches!(sent, Sent::Close(_));
            self.sent.push(through_the_wire(sent));
            if self.closed {
                return;
            }
        }
    }
}

/// Writes what the client sends as a frame and reads it back as a server would.
fn through_the_wire(sent: Sent) -> Sent {
    let (opcode, payload) = match &sent {
        Sent::Echo(true, payload) => (Opcode::Text, payload.clone()),
        Sent::Echo(false, payload) => (Opcode::Binary, payload.clone()),
        Sent::Pong(payload) => (Opcode::Pong, payload.clone()),
        Sent::Close(code) => (Opcode::Close, code.to_be_bytes().to_vec()),
    };
    let mut out = vec![0; payload.len() + 14];
    let length = write_frame(&mut out, opcode, &payload, MASK).unwrap();
    assert_eq!(out[0], 0x80 | opcode as u8);
    assert_eq!(out[1] & 0x80, 0x80, "a client masks");
    let header = length - payload.len();
    let mut body = out[header..length].to_vec();
    apply_mask(&mut body, MASK);
    assert_eq!(body, payload);
    sent
}

fn frame(fin: bool, reserved: u8, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![u8::from(fin) << 7 | reserved << 4 | opcode];
    match payload.len() {
        length @ 0..=125 => bytes.push(length as u8),
        length @ 126..=65_535 => {
            bytes.push(126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(payload);
    bytes
}

fn text(payload: &[u8]) -> Vec<u8> {
    frame(true, 0, 1, payload)
}

fn ping(payload: &[u8]) -> Vec<u8> {
    frame(true, 0, 9, payload)
}

fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(true, 0, 8, &[&code.to_be_bytes(), reason].concat())
}

fn echo(payload: &[u8]) -> Sent {
    Sent::Echo(true, payload.to_vec())
}

/// How the server's bytes are cut into deliveries.
#[derive(Clone, Copy)]
enum Chop {
    Whole,
    Every(usize),
}

#[derive(Default)]
struct Table {
    cases: usize,
    /// Cases by section of the suite.
    sections: BTreeMap<u32, usize>,
    failures: Vec<String>,
}

impl Table {
    /// Plays a case and compares all that the client sent.
    fn case(&mut self, name: &str, bytes: &[u8], chop: Chop, expected: &[Sent]) {
        self.cases += 1;
        let section = name.split('.').next().and_then(|section| section.parse().ok()).unwrap_or_default();
        *self.sections.entry(section).or_default() += 1;
        let mut client = Client::with_cap(if bytes.len() > 500_000 { MESSAGE_MAX } else { 500_000 });
        match chop {
            Chop::Whole => client.push(bytes),
            Chop::Every(size) => bytes.chunks(size).for_each(|part| client.push(part)),
        }
        if client.sent != expected {
            let shown = format!("{:?}", client.sent);
            self.failures.push(format!("{name}: sent {}", &shown[..shown.len().min(200)]));
        }
    }

    /// The same bytes whole, and in octets, as two cases.
    fn case_whole_and_octets(&mut self, name: &str, bytes: &[u8], expected: &[Sent]) {
        self.case(name, bytes, Chop::Whole, expected);
        self.case(name, bytes, Chop::Every(1), expected);
    }
}

fn framing(table: &mut Table) {
    for (opcode, is_text) in [(1u8, true), (2, false)] {
        for (number, size) in [0, 125, 126, 127, 128, 65_535, 65_536, 65_536].into_iter().enumerate() {
            let payload = vec![if is_text { b'*' } else { 0xfe }; size];
            let chop = if number == 7 { Chop::Every(997) } else { Chop::Whole };
            let name = format!("1.{opcode}.{}", number + 1);
            table.case(&name, &frame(true, 0, opcode, &payload), chop, &[Sent::Echo(is_text, payload.clone())]);
        }
    }
}

fn pings(table: &mut Table) {
    let long = vec![0xfe; 125];
    let pong = |payload: &[u8]| Sent::Pong(payload.to_vec());
    table.case("2.1", &ping(b""), Chop::Whole, &[pong(b"")]);
    table.case("2.2", &ping(b"Hello, world!"), Chop::Whole, &[pong(b"Hello, world!")]);
    let binary = [0x00, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0x00, 0xff];
    table.case("2.3", &ping(&binary), Chop::Whole, &[pong(&binary)]);
    table.case("2.4", &ping(&long), Chop::Whole, &[pong(&long)]);
    table.case("2.5", &ping(&[0xfe; 126]), Chop::Whole, &[Sent::Close(1002)]);
    table.case("2.6", &ping(&long), Chop::Every(1), &[pong(&long)]);
    table.case("2.7", &frame(true, 0, 10, b""), Chop::Whole, &[]);
    table.case("2.8", &frame(true, 0, 10, b"unsolicited"), Chop::Whole, &[]);
    let both = [frame(true, 0, 10, b"unsolicited"), ping(b"ping payload")].concat();
    table.case("2.9", &both, Chop::Whole, &[pong(b"ping payload")]);
    let ten: Vec<Vec<u8>> = (0..10).map(|number| format!("payload-{number}").into_bytes()).collect();
    let bytes: Vec<u8> = ten.iter().flat_map(|payload| ping(payload)).collect();
    let expected: Vec<Sent> = ten.iter().map(|payload| pong(payload)).collect();
    table.case("2.10", &bytes, Chop::Whole, &expected);
    table.case("2.11", &bytes, Chop::Every(1), &expected);
}

fn reserved(table: &mut Table) {
    let fail = Sent::Close(1002);
    let after = |reserved: u8| [text(b"small"), frame(true, reserved, 1, b"small"), ping(b"")].concat();
    table.case("3.1", &frame(true, 1, 1, b"small"), Chop::Whole, std::slice::from_ref(&fail));
    table.case("3.2", &after(2), Chop::Whole, &[echo(b"small"), fail.clone()]);
    table.case("3.3", &after(3), Chop::Every(7), &[echo(b"small"), fail.clone()]);
    table.case("3.4", &after(4), Chop::Every(1), &[echo(b"small"), fail.clone()]);
    table.case("3.5", &frame(true, 5, 2, &[0; 8]), Chop::Whole, std::slice::from_ref(&fail));
    table.case("3.6", &frame(true, 6, 9, b"small"), Chop::Whole, std::slice::from_ref(&fail));
    table.case("3.7", &frame(true, 7, 8, &[3, 232]), Chop::Whole, std::slice::from_ref(&fail));
    for (section, first) in [(1, 3u8), (2, 11)] {
        for number in 0..5u8 {
            let name = format!("4.{section}.{}", number + 1);
            let payload: &[u8] = if number % 2 == 0 { b"" } else { b"reserved opcode payload" };
            let bytes = [text(b"small"), frame(true, 0, first + number, payload), ping(b"")].concat();
            let chop = if number > 1 { Chop::Every(1) } else { Chop::Whole };
            table.case(&name, &bytes, chop, &[echo(b"small"), fail.clone()]);
        }
    }
}

fn fragments(table: &mut Table) {
    let fail = Sent::Close(1002);
    let start = |payload: &[u8]| frame(false, 0, 1, payload);
    let middle = |payload: &[u8]| frame(false, 0, 0, payload);
    let last = |payload: &[u8]| frame(true, 0, 0, payload);
    table.case(
        "5.1",
        &[frame(false, 0, 9, b"fragment1"), last(b"fragment2")].concat(),
        Chop::Whole,
        std::slice::from_ref(&fail),
    );
    table.case(
        "5.2",
        &[frame(false, 0, 10, b"fragment1"), last(b"fragment2")].concat(),
        Chop::Whole,
        std::slice::from_ref(&fail),
    );
    let two = [start(b"fragment1"), last(b"fragment2")].concat();
    let with_ping = [start(b"fragment1"), ping(b"ping"), last(b"fragment2")].concat();
    for (number, chop) in [Chop::Whole, Chop::Every(11), Chop::Every(1)].into_iter().enumerate() {
        table.case(&format!("5.{}", 3 + number), &two, chop, &[echo(b"fragment1fragment2")]);
        let expected = [Sent::Pong(b"ping".to_vec()), echo(b"fragment1fragment2")];
        table.case(&format!("5.{}", 6 + number), &with_ping, chop, &expected);
        let orphan = [last(b"non-continuation"), text(b"Hello, world!")].concat();
        table.case(&format!("5.{}", 9 + number), &orphan, chop, std::slice::from_ref(&fail));
        let open_orphan = [middle(b"non-continuation"), text(b"Hello, world!")].concat();
        table.case(&format!("5.{}", 12 + number), &open_orphan, chop, std::slice::from_ref(&fail));
    }
    let after = [two.clone(), middle(b"fragment3"), text(b"fragment4")].concat();
    table.case("5.15", &after, Chop::Whole, &[echo(b"fragment1fragment2"), fail.clone()]);
    let orphans = [middle(b"fragment1"), start(b"fragment2"), last(b"fragment3")].concat().repeat(2);
    table.case("5.16", &orphans, Chop::Whole, std::slice::from_ref(&fail));
    let orphans = [last(b"fragment1"), start(b"fragment2"), last(b"fragment3")].concat().repeat(2);
    table.case("5.17", &orphans, Chop::Whole, std::slice::from_ref(&fail));
    table.case("5.18", &[start(b"fragment1"), text(b"fragment2")].concat(), Chop::Whole, std::slice::from_ref(&fail));
    let five = [
        start(b"fragment1"),
        middle(b"fragment2"),
        ping(b"pongme 1!"),
        middle(b"fragment3"),
        middle(b"fragment4"),
        ping(b"pongme 2!"),
        last(b"fragment5"),
    ]
    .concat();
    let expected = [
        Sent::Pong(b"pongme 1!".to_vec()),
        Sent::Pong(b"pongme 2!".to_vec()),
        echo(b"fragment1fragment2fragment3fragment4fragment5"),
    ];
    table.case("5.19", &five, Chop::Whole, &expected);
    table.case("5.20", &five, Chop::Every(13), &expected);
}

fn octets(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (at, byte) in payload.iter().enumerate() {
        bytes.extend(frame(at + 1 == payload.len(), 0, u8::from(at == 0), &[*byte]));
    }
    bytes
}

fn utf8_messages(table: &mut Table) {
    let fail = Sent::Close(1007);
    table.case("6.1.1", &text(b""), Chop::Whole, &[echo(b"")]);
    let empty = [frame(false, 0, 1, b""), frame(false, 0, 0, b""), frame(true, 0, 0, b"")].concat();
    table.case("6.1.2", &empty, Chop::Whole, &[echo(b"")]);
    let inner = [frame(false, 0, 1, b""), frame(false, 0, 0, b"middle"), frame(true, 0, 0, b"")].concat();
    table.case("6.1.3", &inner, Chop::Whole, &[echo(b"middle")]);
    let valid = "Hello-µ@ßöäüàá-UTF-8!!".as_bytes();
    let (left, right) = valid.split_at(7);
    table.case("6.2.1", &text(valid), Chop::Whole, &[echo(valid)]);
    table.case("6.2.2", &[frame(false, 0, 1, left), frame(true, 0, 0, right)].concat(), Chop::Whole, &[echo(valid)]);
    table.case("6.2.3", &octets(valid), Chop::Whole, &[echo(valid)]);
    let greek = GREEK.as_bytes();
    table.case("6.2.4", &octets(greek), Chop::Whole, &[echo(greek)]);
    let invalid = [greek, b"\xed\xa0\x80", b"edited"].concat();
    table.case("6.3.1", &text(&invalid), Chop::Whole, std::slice::from_ref(&fail));
    table.case("6.3.2", &octets(&invalid), Chop::Whole, std::slice::from_ref(&fail));
    // 6.4: the failure must come with the first bytes that cannot be valid, before the rest has been sent.
    let (part1, part2) = (greek, b"\xf4\x90\x80\x80");
    let fragments = [frame(false, 0, 1, part1), frame(false, 0, 0, part2)].concat();
    table.case("6.4.1", &fragments, Chop::Whole, std::slice::from_ref(&fail));
    let early = [frame(false, 0, 1, &[part1, &b"\xf4"[..]].concat()), frame(false, 0, 0, b"\x90")].concat();
    table.case("6.4.2", &early, Chop::Whole, std::slice::from_ref(&fail));
    let whole = text(&[part1, &part2[..], b"edited"].concat());
    table.case("6.4.3", &whole[..whole.len() - 6], Chop::Every(13), std::slice::from_ref(&fail));
    table.case("6.4.4", &whole[..whole.len() - 8], Chop::Every(1), std::slice::from_ref(&fail));
}

fn utf8_table(table: &mut Table) {
    for (number, (section, sequence, valid)) in utf8::utf8_sequences().into_iter().enumerate() {
        let expected = if valid { echo(&sequence) } else { Sent::Close(1007) };
        let name = format!("6.{section} ({number})");
        table.case(&name, &text(&sequence), Chop::Whole, &[expected]);
    }
}

fn closes(table: &mut Table) {
    let normal = Sent::Close(1000);
    let hello = text(b"Hello World!");
    table.case(
        "7.1.1",
        &[hello.clone(), close(1000, b"")].concat(),
        Chop::Whole,
        &[echo(b"Hello World!"), normal.clone()],
    );
    for (name, after) in [
        ("7.1.2", close(1000, b"")),
        ("7.1.3", ping(b"")),
        ("7.1.4", hello.clone()),
        ("7.1.5", [frame(false, 0, 1, b"fragment1"), frame(true, 0, 0, b"fragment2")].concat()),
        ("7.1.6", text(&vec![b'*'; 256 * 1024])),
    ] {
        // Whatever follows a close frame is not answered any more.
        table.case(name, &[close(1000, b""), after].concat(), Chop::Whole, std::slice::from_ref(&normal));
    }
    table.case("7.3.1", &frame(true, 0, 8, b""), Chop::Whole, std::slice::from_ref(&normal));
    table.case("7.3.2", &frame(true, 0, 8, b"a"), Chop::Whole, &[Sent::Close(1002)]);
    table.case("7.3.3", &close(1000, b""), Chop::Whole, std::slice::from_ref(&normal));
    table.case("7.3.4", &close(1000, b"Hello World!"), Chop::Whole, std::slice::from_ref(&normal));
    table.case("7.3.5", &close(1000, &[b'*'; 123]), Chop::Whole, std::slice::from_ref(&normal));
    table.case("7.3.6", &close(1000, &[b'*'; 124]), Chop::Whole, &[Sent::Close(1002)]);
    table.case("7.5.1", &close(1000, b"\xce\xba\xed\xa0\x80"), Chop::Whole, &[Sent::Close(1007)]);
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] {
        table.case(&format!("7.7 ({code})"), &close(code, b""), Chop::Whole, &[Sent::Close(code)]);
    }
    for code in [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535] {
        table.case(&format!("7.9, 7.13 ({code})"), &close(code, b""), Chop::Whole, &[Sent::Close(1002)]);
    }
}

fn large(table: &mut Table) {
    let kib = 1024;
    for (section, is_text) in [(0, true), (1, false)] {
        let opcode = if is_text { 1 } else { 2 };
        let whole = |size: usize| Sent::Echo(is_text, vec![b'*'; size]);
        for (number, size) in [64, 256, 1_024, 4_096, 8_192, 16_384].into_iter().enumerate() {
            let bytes = frame(true, 0, opcode, &vec![b'*'; size * kib]);
            let name = format!("9.{}.{}", 1 + section, number + 1);
            table.case(&name, &bytes, Chop::Whole, &[whole(size * kib)]);
        }
        for number in 0..9 {
            let piece = 64 << (2 * number);
            let mut bytes = Vec::new();
            let payload = vec![b'*'; 4_096 * kib];
            let count = payload.len().div_ceil(piece);
            for (at, part) in payload.chunks(piece).enumerate() {
                bytes.extend(frame(at + 1 == count, 0, if at == 0 { opcode } else { 0 }, part));
            }
            let name = format!("9.{}.{}", 3 + section, number + 1);
            table.case(&name, &bytes, Chop::Every(1 << 20), &[whole(4_096 * kib)]);
        }
        for (number, chop) in [64, 128, 256, 512, 1_024, 2_048].into_iter().enumerate() {
            let bytes = frame(true, 0, opcode, &vec![b'*'; 1_024 * kib]);
            let name = format!("9.{}.{}", 5 + section, number + 1);
            table.case(&name, &bytes, Chop::Every(chop), &[whole(1_024 * kib)]);
        }
        for (number, size) in [0, 16, 64, 256, 1_024, 4_096].into_iter().enumerate() {
            let bytes = frame(true, 0, opcode, &vec![b'*'; size]).repeat(1_000);
            let name = format!("9.{}.{}", 7 + section, number + 1);
            table.case(&name, &bytes, Chop::Whole, &vec![whole(size); 1_000]);
        }
    }
    let payload = vec![b'*'; 65_536];
    let count = payload.len().div_ceil(1_300);
    let mut bytes = Vec::new();
    for (at, part) in payload.chunks(1_300).enumerate() {
        bytes.extend(frame(at + 1 == count, 0, u8::from(at == 0), part));
    }
    table.case("10.1.1", &bytes, Chop::Whole, &[echo(&payload)]);
}

#[test]
fn all_301_base_cases_are_strict() {
    let mut table = Table::default();
    framing(&mut table);
    pings(&mut table);
    reserved(&mut table);
    fragments(&mut table);
    utf8_messages(&mut table);
    utf8_table(&mut table);
    closes(&mut table);
    large(&mut table);
    assert!(table.failures.is_empty(), "{} failed:\n{}", table.failures.len(), table.failures.join("\n"));
    assert_eq!(table.cases, 301);
    // As many of each section as the suite has: framing, pings, reserved bits, opcodes, fragments, UTF-8, closing,
    // large and many messages, fragments made by the server itself.
    let of_the_suite = [(1, 16), (2, 11), (3, 7), (4, 10), (5, 20), (6, 145), (7, 37), (9, 54), (10, 1)];
    assert_eq!(table.sections, BTreeMap::from(of_the_suite));
}

#[test]
fn every_cut_of_a_conversation_gives_the_same_messages() {
    let bytes = [
        text("Grüße".as_bytes()),
        ping(b"p"),
        frame(false, 0, 1, "κό".as_bytes()),
        ping(b""),
        frame(true, 0, 0, "σμε".as_bytes()),
        frame(true, 0, 2, &[0xff; 130]),
        close(1001, b"bye"),
    ]
    .concat();
    let mut table = Table::default();
    let mut whole = Client::new();
    whole.push(&bytes);
    assert_eq!(whole.sent.len(), 6);
    for first in 0..bytes.len() {
        for second in first..bytes.len() {
            let mut client = Client::with_cap(4096);
            client.push(&bytes[..first]);
            client.push(&bytes[first..second]);
            client.push(&bytes[second..]);
            assert_eq!(client.sent, whole.sent, "cut at {first} and {second}");
        }
    }
    table.case_whole_and_octets("drip", &bytes, &whole.sent);
    assert!(table.failures.is_empty());
}

#[test]
fn a_frame_longer_than_the_cap_is_refused_before_its_payload_comes() {
    for length in [MESSAGE_MAX as u64 + 1, 1 << 40, (1 << 63) - 1] {
        let mut client = Client::new();
        client.push(&[&[0x82, 127][..], &length.to_be_bytes()].concat());
        assert_eq!(client.sent, [Sent::Close(1009)], "{length}");
    }
    let mut client = Client::new();
    client.push(&[&[0x82, 127][..], &(1u64 << 63).to_be_bytes()].concat());
    assert_eq!(client.sent, [Sent::Close(1002)]);
    for padded in [vec![0x82, 126, 0, 125], vec![0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff]] {
        let mut client = Client::new();
        client.push(&padded);
        assert_eq!(client.sent, [Sent::Close(1002)], "a length that is not minimal");
    }
}

#[test]
fn every_byte_is_masked_as_the_rfc_says() {
    for length in 0..70 {
        let payload: Vec<u8> = (0..length).map(|at| at as u8 ^ 0x55).collect();
        let mut out = vec![0; length + 14];
        let total = write_frame(&mut out, Opcode::Text, &payload, MASK).unwrap();
        let body = &out[total - length..total];
        // RFC 6455, 5.3: octet i is xored with octet i modulo 4 of the key.
        let expected: Vec<u8> = payload.iter().enumerate().map(|(at, byte)| byte ^ MASK[at % 4]).collect();
        assert_eq!(body, expected, "{length} bytes");
    }
}
