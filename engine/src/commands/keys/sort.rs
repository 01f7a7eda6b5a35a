//! SORT: the elements of a list, a set or a sorted set in order, by themselves or by other keys.

use super::note_missing;
use crate::base::DbIndex;
use crate::base::double::{after_space, parse_score};
use crate::command::collections::{announce, remove_any};
use crate::command::options::is;
use crate::command::{
    Categories, CmdError, Ctx, Flags, Group, KeyFlags, Keys, Options, Outcome, Spec,
};
use crate::keyspace::{Entry, EventClasses, Keyspace, Stored};
use crate::resp::Args;
use crate::value::hash::HashRef;
use crate::value::list::{self, End, ListRef};
use crate::value::set::SetRef;
use crate::value::string::Text;
use crate::value::zset::ZsetRef;
use crate::value::{Kind, kind_of, with_text};
use dovetail_memory::Lookup;
use std::cmp::Ordering;
use std::ops::Range;

const COST: &str = "O(N+M*log(M)) where N is the number of elements and M the number of elements \
                    returned";
const SOURCE: KeyFlags = KeyFlags::RO.and(KeyFlags::ACCESS);

const CATEGORIES: Categories = Categories::LIST
    .and(Categories::SET)
    .and(Categories::SORTEDSET)
    .and(Categories::DANGEROUS);

/// The rows.
pub const SPECS: &[Spec] = &[
    Spec::new("sort", -2, sort)
        .of(Group::Generic, "1.0.0", COST)
        .flags(Flags::WRITE.and(Flags::DENYOOM))
        .categories(CATEGORIES)
        .keys(&[
            Keys::first(SOURCE),
            Keys::unknown(SOURCE).note("the keys that BY and GET name depend on the elements"),
            Keys::untold("STORE", KeyFlags::OW.and(KeyFlags::UPDATE))
                .note("STORE may stand anywhere among the options"),
        ])
        .doc(
            "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC|DESC] \
             [ALPHA] [STORE destination]",
            "Returns or stores the elements of a list, a set or a sorted set in order.",
        ),
    Spec::new("sort_ro", -2, sort_ro)
        .of(Group::Generic, "7.0.0", COST)
        .flags(Flags::READONLY)
        .categories(CATEGORIES)
        .keys(&[
            Keys::first(SOURCE),
            Keys::unknown(SOURCE).note("the keys that BY and GET name depend on the elements"),
        ])
        .doc(
            "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC|DESC] \
             [ALPHA]",
            "Returns the elements of a list, a set or a sorted set in order.",
        ),
];

/// An element, and what it is ordered by.
type Element = Box<[u8]>;

/// What is asked for.
struct Request<'a> {
    by: Option<&'a [u8]>,
    limit: Option<(i64, i64)>,
    gets: Vec<&'a [u8]>,
    descending: bool,
    alpha: bool,
    store: Option<&'a [u8]>,
}

impl<'a> Request<'a> {
    fn read(args: &Args<'a>, may_store: bool) -> Result<Self, CmdError> {
        let mut request = Self {
            by: None,
            limit: None,
            gets: Vec::new(),
            descending: false,
            alpha: false,
            store: None,
        };
        let mut options = Options::from(args, 2);
        while let Some(word) = options.next() {
            if is(word, "asc") {
                request.descending = false;
            } else if is(word, "desc") {
                request.descending = true;
            } else if is(word, "alpha") {
                request.alpha = true;
            } else if is(word, "limit") && options.left() >= 2 {
                request.limit = Some((options.integer()?, options.integer()?));
            } else if is(word, "store") && may_store && options.left() > 0 {
                request.store = options.next();
            } else if is(word, "by") && options.left() > 0 {
                request.by = options.next();
            } else if is(word, "get") && options.left() > 0 {
                request.gets.extend(options.next());
            } else {
                return Err(CmdError::Syntax);
            }
        }
        Ok(request)
    }

    /// A pattern without a place for the element names no order.
    fn keeps_order(&self) -> bool {
        self.by.is_some_and(|by| !by.contains(&b'*'))
    }

    /// Which of `len` elements are wanted.
    fn range(&self, len: usize) -> Range<usize> {
        let Some((offset, count)) = self.limit else {
            return 0..len;
        };
        let start = usize::try_from(offset.max(0))
            .unwrap_or(usize::MAX)
            .min(len);
        let end = match usize::try_from(count) {
            Ok(count) => start.saturating_add(count).min(len),
            Err(_) => len,
        };
        start..end
    }
}

/// SORT key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC|DESC] [ALPHA] [STORE dest]
///
/// Replies: the elements, or what GET asks for; with STORE how many there are.
fn sort(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    run(ctx, args, &Request::read(args, true)?)
}

/// SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC|DESC] [ALPHA]
fn sort_ro(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    run(ctx, args, &Request::read(args, false)?)
}

fn run(ctx: &mut Ctx<'_>, args: &Args<'_>, request: &Request<'_>) -> Outcome {
    let key = ctx.key(args.get(1));
    let entry = ctx.keyspace.peek_db(ctx.db).read(&key);
    let sorted = match entry {
        Some(entry) => {
            let elements = elements_of(entry, request)?;
            order(ctx.keyspace, ctx.db, elements, request)?
        }
        None => {
            note_missing(ctx, &key);
            Vec::new()
        }
    };
    let range = request.range(sorted.len());
    let wanted = &sorted[range];
    match request.store {
        None => answer(ctx, wanted, request),
        Some(target) => store(ctx, target, wanted, request),
    }
    Ok(())
}

/// All elements in the order in which they lie, or the other way round when their order is to be kept
/// and a descending one was asked for.
fn elements_of(entry: Entry<'_>, request: &Request<'_>) -> Result<Vec<Element>, CmdError> {
    let mut elements: Vec<Element> = Vec::new();
    let mut add = |text: &[u8]| elements.push(text.into());
    match kind_of(entry) {
        Kind::List => {
            if let Some(list) = ListRef::of(entry) {
                list.range(0..list.len(), |item| with_text(item, &mut add));
            }
        }
        Kind::Set => {
            if let Some(set) = SetRef::of(entry) {
                set.visit(|member| {
                    with_text(member, &mut add);
                    true
                });
                // A set has no order to keep; what is stored shall not depend on chance.
                if request.keeps_order() && request.store.is_some() {
                    elements.sort_unstable();
                }
            }
        }
        Kind::SortedSet => {
            if let Some(zset) = ZsetRef::of(entry) {
                zset.visit(&mut |member, _| {
                    with_text(member, &mut add);
                    true
                });
            }
        }
        Kind::String | Kind::Hash => return Err(CmdError::WrongType),
    }
    if request.keeps_order() && request.descending {
        elements.reverse();
    }
    Ok(elements)
}

/// Puts elements in order.
///
/// # Errors
/// When something to be compared as a number is none.
fn order(
    keyspace: &Keyspace,
    db: DbIndex,
    elements: Vec<Element>,
    request: &Request<'_>,
) -> Result<Vec<Element>, CmdError> {
    if request.keeps_order() {
        return Ok(elements);
    }
    let weight = |element: &Element| match request.by {
        Some(by) => look_up(keyspace, db, by, element),
        None => Some(element.clone()),
    };
    if request.alpha {
        let mut weighed: Vec<(Option<Element>, Element)> = elements
            .into_iter()
            .map(|element| (weight(&element), element))
            .collect();
        weighed.sort_by(|one, other| turned(one.0.cmp(&other.0), request));
        return Ok(weighed.into_iter().map(|(_, element)| element).collect());
    }
    let mut weighed = Vec::with_capacity(elements.len());
    for element in elements {
        weighed.push((number_of(weight(&element))?, element));
    }
    weighed.sort_unstable_by(|one, other| {
        let by_weight = one.0.partial_cmp(&other.0).unwrap_or(Ordering::Equal);
        turned(by_weight.then_with(|| one.1.cmp(&other.1)), request)
    });
    Ok(weighed.into_iter().map(|(_, element)| element).collect())
}

fn turned(order: Ordering, request: &Request<'_>) -> Ordering {
    if request.descending {
        order.reverse()
    } else {
        order
    }
}

/// A weight as a number: spelled as a score, but spaces may stand before it, and nothing at all is 0
/// as what is not there is.
fn number_of(weight: Option<Element>) -> Result<f64, CmdError> {
    let text = weight.as_deref().unwrap_or_default();
    if text.is_empty() {
        return Ok(0.0);
    }
    parse_score(after_space(text)).ok_or(CmdError::fixed(
        "ERR One or more scores can't be converted into double",
    ))
}

/// What the key that `pattern` makes of `element` holds: the first `*` stands for the element, and
/// `->field` behind it asks for a field of a hash. `#` is the element itself.
fn look_up(keyspace: &Keyspace, db: DbIndex, pattern: &[u8], element: &[u8]) -> Option<Element> {
    if pattern == b"#" {
        return Some(element.into());
    }
    let star = pattern.iter().position(|byte| *byte == b'*')?;
    let behind = &pattern[star + 1..];
    let arrow = behind.windows(2).position(|two| two == b"->");
    let arrow = arrow.filter(|at| at + 2 < behind.len());
    let tail = &behind[..arrow.unwrap_or(behind.len())];
    let name = [&pattern[..star], element, tail].concat();
    let entry = keyspace.peek_db(db).find(&keyspace.key(&name))?;
    match arrow {
        Some(at) => {
            let value = HashRef::of(entry)?.get(&behind[at + 2..])?;
            Some(with_text(value, |text| text.into()))
        }
        None => Text::of(entry).map(|text| text.as_bytes().into()),
    }
}

fn answer(ctx: &mut Ctx<'_>, wanted: &[Element], request: &Request<'_>) {
    let per_element = request.gets.len().max(1);
    ctx.reply.array(wanted.len() * per_element);
    for element in wanted {
        if request.gets.is_empty() {
            ctx.reply.bulk(element);
        }
        for pattern in &request.gets {
            match look_up(ctx.keyspace, ctx.db, pattern, element) {
                Some(text) => ctx.reply.bulk(&text),
                None => ctx.reply.null(),
            }
        }
    }
}

/// Stores the result as a list; without any element the destination is removed.
///
/// Effects: notifies `sortstore` or `del`.
fn store(ctx: &mut Ctx<'_>, target: &[u8], wanted: &[Element], request: &Request<'_>) {
    let mut found: Vec<Element> = Vec::new();
    for element in wanted {
        if request.gets.is_empty() {
            found.push(element.clone());
        }
        for pattern in &request.gets {
            found.push(look_up(ctx.keyspace, ctx.db, pattern, element).unwrap_or_default());
        }
    }
    let encodings = &ctx.config.encodings;
    let limits = list::Limits {
        fill: encodings.list_max_listpack_size,
        depth: encodings.list_compress_depth as usize,
    };
    let target = ctx.keyspace.key(target);
    if found.is_empty() {
        remove_any(ctx, &target);
    } else {
        let db = ctx.keyspace.db(ctx.db);
        let was_there = db.find(&target).is_some();
        db.remove_emptied(&target);
        if let Lookup::Vacant(place) = db.entry(&target) {
            list::create(place, End::Tail, found.iter().map(AsRef::as_ref), limits);
        }
        db.changed(target.bytes);
        let stored = if was_there {
            Stored::Replaced
        } else {
            Stored::Created
        };
        announce(ctx, &target, stored, EventClasses::LIST, "sortstore");
    }
    ctx.reply.count(found.len());
}
