//! Changes of inputs, by bytes and by the elements of their DER.

use common::x509::tlv;
use tests::dice::Dice;

/// Longest input that is of interest: just beyond the parsers' own limit.
const LENGTH_MAX: usize = 66_000;

/// One of `seeds`, changed a few times.
pub(super) fn mutate(dice: &mut Dice, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut input = dice.pick(seeds).clone();
    let tree = Node::read_all(&input, 0);
    match tree {
        // Consistent lengths get deeper than any flipped bit.
        Some(mut nodes) if dice.roll(3) > 0 => {
            for _ in 0..=dice.roll(3) {
                change_tree(dice, &mut nodes, seeds);
            }
            input = Node::write_all(&nodes);
            if dice.roll(8) == 0 {
                change_bytes(dice, &mut input, seeds);
            }
        }
        _ => {
            for _ in 0..=dice.roll(4) {
                change_bytes(dice, &mut input, seeds);
            }
        }
    }
    input.truncate(LENGTH_MAX);
    input
}

fn change_bytes(dice: &mut Dice, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
    let at = dice.roll(input.len() + 1);
    let end = (at + dice.roll(16)).min(input.len());
    match dice.roll(7) {
        0 | 1 if at < input.len() => input[at] ^= 1 << dice.roll(8),
        2 if at < input.len() => input[at] = *dice.pick(&[0, 1, 0x7f, 0x80, 0x82, 0x84, 0xff]),
        3 => input.truncate(at),
        4 => drop(input.drain(at..end)),
        5 => {
            let copy = input[at..end].to_vec();
            input.splice(at..at, copy);
        }
        6 => {
            let other = dice.pick(seeds);
            let from = dice.roll(other.len() + 1);
            input.truncate(at);
            input.extend(&other[from..]);
        }
        _ => input.insert(at, dice.byte()),
    }
}

/// An element of DER, taken apart as far as that goes.
#[derive(Clone, Debug)]
struct Node {
    tag: u8,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Bytes(Vec<u8>),
    Nodes(Vec<Node>),
}

impl Node {
    /// All elements of `input`, `None` when it is not made of elements.
    fn read_all(mut input: &[u8], depth: usize) -> Option<Vec<Self>> {
        let mut nodes = Vec::new();
        while !input.is_empty() {
            let (element, rest) = tlv::split(input)?;
            // Octet strings hold DER in extensions and nonces.
            let may_hold_nodes = element.tag & 0x20 != 0 || element.tag == 0x04;
            let inner = match may_hold_nodes && depth < 24 {
                true => Self::read_all(element.content, depth + 1),
                false => None,
            };
            let content = match inner {
                Some(nodes) if !nodes.is_empty() => Content::Nodes(nodes),
                _ => Content::Bytes(element.content.to_vec()),
            };
            nodes.push(Self {
                tag: element.tag,
                content,
            });
            input = rest;
        }
        Some(nodes)
    }

    fn write_all(nodes: &[Self]) -> Vec<u8> {
        let mut out = Vec::new();
        for node in nodes {
            match &node.content {
                Content::Bytes(bytes) => tlv::push(&mut out, node.tag, bytes),
                Content::Nodes(nodes) => tlv::push(&mut out, node.tag, &Self::write_all(nodes)),
            }
        }
        out
    }

    /// A list of nodes somewhere in the tree.
    fn somewhere<'a>(dice: &mut Dice, nodes: &'a mut Vec<Self>) -> &'a mut Vec<Self> {
        let at = dice.roll(nodes.len());
        let goes_deeper = dice.roll(6) > 0;
        let has_more = nodes
            .get(at)
            .is_some_and(|node| matches!(node.content, Content::Nodes(_)));
        if !(goes_deeper && has_more) {
            return nodes;
        }
        match &mut nodes[at].content {
            Content::Nodes(inner) => Self::somewhere(dice, inner),
            Content::Bytes(_) => unreachable!("it has nodes"),
        }
    }
}

const TAGS: [u8; 16] = [
    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0a, 0x0c, 0x13, 0x16, 0x1e, 0x30, 0x31, 0x80, 0xa0, 0xa2,
];

const LENGTHS: [usize; 14] = [
    0, 1, 2, 19, 20, 21, 64, 65, 127, 128, 129, 256, 4_096, 65_536,
];

fn change_tree(dice: &mut Dice, tree: &mut Vec<Node>, seeds: &[Vec<u8>]) {
    let stranger = dice.pick(seeds).as_slice();
    let stranger = Node::read_all(stranger, 0).unwrap_or_default();
    let nodes = Node::somewhere(dice, tree);
    let at = dice.roll(nodes.len());
    let Some(node) = nodes.get_mut(at) else {
        return nodes.extend(stranger);
    };
    match dice.roll(10) {
        0 => node.tag = *dice.pick(&TAGS),
        1 => node.tag ^= 1 << dice.roll(8),
        2 => {
            let length = *dice.pick(&LENGTHS);
            let fill = dice.byte();
            node.content = Content::Bytes(vec![fill; length]);
        }
        3 => {
            if let Content::Bytes(bytes) = &mut node.content {
                change_bytes(dice, bytes, seeds);
            }
        }
        4 => drop(nodes.remove(at)),
        5 => {
            let copies = *dice.pick(&[1, 1, 2, 62, 63, 64, 65]);
            let copy = node.clone();
            nodes.extend(std::iter::repeat_n(copy, copies));
        }
        6 => {
            let other = dice.roll(nodes.len());
            nodes.swap(at, other);
        }
        7 => {
            let mut stranger = stranger;
            let part = Node::somewhere(dice, &mut stranger);
            let from = dice.roll(part.len());
            nodes.extend(part.drain(..).skip(from).take(1));
        }
        8 => {
            let inner = nodes.remove(at);
            let tag = *dice.pick(&[0x30, 0x31, 0xa0, 0x04]);
            let content = Content::Nodes(vec![inner]);
            nodes.insert(at, Node { tag, content });
        }
        _ => {
            // Deep enough to end any recursion that has no limit.
            let mut content = Content::Bytes(Vec::new());
            let tag = *dice.pick(&[0x30, 0xa0]);
            for _ in 0..*dice.pick(&[3, 40, 2_000]) {
                content = Content::Nodes(vec![Node { tag, content }]);
            }
            node.content = content;
        }
    }
}
