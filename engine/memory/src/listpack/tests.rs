//! Listpacks against a plain vector, and their bytes against those that Redis's files have.

use super::{EMPTY, Encoded, Item, Listpack, insert, insert_all, push, remove, replace};
use proptest::prelude::*;

fn bytes_of(item: Item<'_>) -> Vec<u8> {
    let mut out = EMPTY.to_vec();
    push(&mut out, &Encoded::new(item));
    out[2..].to_vec()
}

#[test]
fn every_form_has_the_bytes_of_the_file_format() {
    assert_eq!(bytes_of(Item::Int(0)), [0x00, 1]);
    assert_eq!(bytes_of(Item::Int(127)), [0x7f, 1]);
    assert_eq!(bytes_of(Item::Int(128)), [0xc0, 0x80, 2]);
    assert_eq!(bytes_of(Item::Int(-1)), [0xdf, 0xff, 2]);
    assert_eq!(bytes_of(Item::Int(4095)), [0xcf, 0xff, 2]);
    assert_eq!(bytes_of(Item::Int(-4096)), [0xd0, 0x00, 2]);
    assert_eq!(bytes_of(Item::Int(4096)), [0xf1, 0x00, 0x10, 3]);
    assert_eq!(bytes_of(Item::Int(-32768)), [0xf1, 0x00, 0x80, 3]);
    assert_eq!(bytes_of(Item::Int(32768)), [0xf2, 0x00, 0x80, 0x00, 4]);
    assert_eq!(bytes_of(Item::Int(8_388_608)), [0xf3, 0, 0, 0x80, 0, 5]);
    let mut widest = vec![0xf4];
    widest.extend(i64::MIN.to_le_bytes());
    widest.push(9);
    assert_eq!(bytes_of(Item::Int(i64::MIN)), widest);
    assert_eq!(bytes_of(Item::Bytes(b"ab")), [0x82, b'a', b'b', 3]);
    let long = bytes_of(Item::Bytes(&[b'x'; 64]));
    assert_eq!((&long[..2], long[66]), (&[0xe0, 0x40][..], 66));
    let longer = bytes_of(Item::Bytes(&[b'x'; 4096]));
    assert_eq!(longer[..5], [0xf0, 0x00, 0x10, 0, 0]);
    // 4101 = 32 * 128 + 5
    assert_eq!(longer[4101..], [32, 0x80 | 5]);
}

#[derive(Clone, Debug, PartialEq)]
enum Owned {
    Int(i64),
    Bytes(Vec<u8>),
}

impl Owned {
    fn item(&self) -> Item<'_> {
        match self {
            Self::Int(value) => Item::Int(*value),
            Self::Bytes(bytes) => Item::Bytes(bytes),
        }
    }
}

fn element() -> impl Strategy<Value = Owned> {
    let int = prop_oneof![
        -200i64..200,
        -5000i64..5000,
        -40_000i64..40_000,
        -9_000_000i64..9_000_000,
        any::<i32>().prop_map(i64::from),
        any::<i64>()
    ];
    let text = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..80),
        (0usize..20_000).prop_map(|len| vec![b'z'; len]),
    ];
    prop_oneof![4 => int.prop_map(Owned::Int), 4 => text.prop_map(Owned::Bytes)]
}

#[derive(Clone, Debug)]
enum Step {
    Insert(usize, Owned),
    InsertAll(usize, Vec<Owned>),
    Replace(usize, Owned),
    Remove(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let many = proptest::collection::vec(element(), 0..5);
    prop_oneof![
        4 => (any::<usize>(), element()).prop_map(|(at, element)| Step::Insert(at, element)),
        1 => (any::<usize>(), many).prop_map(|(at, elements)| Step::InsertAll(at, elements)),
        2 => (any::<usize>(), element()).prop_map(|(at, element)| Step::Replace(at, element)),
        2 => (any::<usize>(), 0usize..4).prop_map(|(at, count)| Step::Remove(at, count)),
    ]
}

fn check(pack: &[u8], model: &[Owned]) {
    let pack = Listpack::new(pack);
    assert_eq!(pack.len(), model.len());
    assert!(pack.iter().eq(model.iter().map(Owned::item)));
    assert!(pack.iter().rev().eq(model.iter().rev().map(Owned::item)));
    for (index, element) in model.iter().enumerate() {
        let at = pack.seek(index);
        assert_eq!(pack.item(at), element.item());
        let first = model.iter().position(|other| other == element);
        let found = pack.find(pack.begin(), &Encoded::new(element.item()), 1);
        assert_eq!(found, first.map(|first| pack.seek(first)));
    }
    assert_eq!(pack.seek(model.len()), pack.end());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_listpack_does_what_a_vector_does(steps in proptest::collection::vec(step(), 1..40)) {
        let (mut pack, mut model) = (EMPTY.to_vec(), Vec::new());
        for step in steps {
            match step {
                Step::Insert(at, element) => {
                    let index = at % (model.len() + 1);
                    let at = Listpack::new(&pack).seek(index);
                    insert(&mut pack, at, &Encoded::new(element.item()));
                    model.insert(index, element);
                }
                Step::InsertAll(at, elements) => {
                    let index = at % (model.len() + 1);
                    let at = Listpack::new(&pack).seek(index);
                    let encoded: Vec<_> =
                        elements.iter().map(|element| Encoded::new(element.item())).collect();
                    insert_all(&mut pack, at, &encoded);
                    model.splice(index..index, elements);
                }
                Step::Replace(at, element) if !model.is_empty() => {
                    let index = at % model.len();
                    let at = Listpack::new(&pack).seek(index);
                    replace(&mut pack, at, &Encoded::new(element.item()));
                    model[index] = element;
                }
                Step::Replace(..) => {}
                Step::Remove(at, count) => {
                    let index = at % (model.len() + 1);
                    let count = count.min(model.len() - index);
                    let read = Listpack::new(&pack);
                    let (from, to) = (read.seek(index), read.seek(index + count));
                    remove(&mut pack, from, to, count);
                    model.drain(index..index + count);
                }
            }
            check(&pack, &model);
        }
    }
}

#[test]
fn a_count_that_two_bytes_cannot_hold_is_taken_by_walking() {
    let mut pack = EMPTY.to_vec();
    for _ in 0..70_000 {
        push(&mut pack, &Encoded::new(Item::Int(1)));
    }
    assert_eq!(Listpack::new(&pack).len(), 70_000);
    let to = Listpack::new(&pack).seek(10_000);
    remove(&mut pack, 2, to, 10_000);
    assert_eq!(Listpack::new(&pack).len(), 60_000);
    assert_eq!(pack[..2], 60_000u16.to_le_bytes());
}
