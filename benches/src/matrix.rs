//! The cells of a measurement: one thing varies at a time, in an order drawn from the seed.

use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom as _;
use serde::Serialize;

use crate::load::workload::Workload;

/// Values for each axis; the first of each is the base.
#[derive(Clone, Debug)]
pub(crate) struct Axes {
    /// Connections of the load.
    pub(crate) connections: Vec<usize>,
    /// Requests sent before their replies are awaited.
    pub(crate) pipeline: Vec<usize>,
    /// Bytes of a value.
    pub(crate) value_bytes: Vec<usize>,
}

/// How the axes are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Combine {
    /// The base, and every other value with the rest at the base.
    OneAtATime,
    /// Everything with everything.
    Cross,
}

/// One shape of load, the same for every server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Cell {
    /// The workload's name.
    pub(crate) workload: String,
    /// Connections of the load.
    pub(crate) connections: usize,
    /// Requests sent before their replies are awaited.
    pub(crate) pipeline: usize,
    /// Bytes of a value.
    pub(crate) value_bytes: usize,
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            workload,
            connections,
            pipeline,
            value_bytes,
        } = self;
        write!(f, "{workload} c={connections} P={pipeline} d={value_bytes}")
    }
}

/// All cells, values of one size together, so that a server is filled once per size.
pub(crate) fn cells(workloads: &[Workload], axes: &Axes, combine: Combine) -> Vec<Cell> {
    let mut cells = Vec::new();
    for value_bytes in unique(&axes.value_bytes) {
        for workload in workloads {
            let connections = match workload.connections {
                Some(fixed) => vec![fixed],
                None => unique(&axes.connections),
            };
            for &connections in &connections {
                for pipeline in unique(&axes.pipeline) {
                    let moved = usize::from(axes.value_bytes.first() != Some(&value_bytes))
                        + usize::from(axes.pipeline.first() != Some(&pipeline))
                        + usize::from(
                            workload.connections.is_none()
                                && axes.connections.first() != Some(&connections),
                        );
                    if combine == Combine::OneAtATime && moved > 1 {
                        continue;
                    }
                    let workload = workload.name.clone();
                    cells.push(Cell {
                        workload,
                        connections,
                        pipeline,
                        value_bytes,
                    });
                }
            }
        }
    }
    cells
}

/// The order in which `systems` are measured in each round: shuffled once, then there and back, so
/// that a drift of the machine meets all alike.
pub(crate) fn order(systems: usize, round: usize, seed: u64) -> Vec<usize> {
    let pair = u64::try_from(round / 2).unwrap_or(0);
    let mut rng = SmallRng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9).wrapping_add(pair));
    let mut order: Vec<usize> = (0..systems).collect();
    order.shuffle(&mut rng);
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

fn unique(values: &[usize]) -> Vec<usize> {
    let mut seen = Vec::new();
    for &value in values {
        if !seen.contains(&value) {
            seen.push(value);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axes() -> Axes {
        Axes {
            connections: vec![50, 1, 500],
            pipeline: vec![1, 16],
            value_bytes: vec![16, 1024],
        }
    }

    fn workloads(names: &[&str]) -> Vec<Workload> {
        names
            .iter()
            .map(|name| Workload::parse(name).unwrap())
            .collect()
    }

    #[test]
    fn one_thing_varies_at_a_time() {
        let cells = cells(&workloads(&["get"]), &axes(), Combine::OneAtATime);
        let shown: Vec<_> = cells.iter().map(ToString::to_string).collect();
        let expected = [
            "get c=50 P=1 d=16",
            "get c=50 P=16 d=16",
            "get c=1 P=1 d=16",
            "get c=500 P=1 d=16",
            "get c=50 P=1 d=1024",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn cross_has_every_combination() {
        assert_eq!(
            cells(&workloads(&["get", "set"]), &axes(), Combine::Cross).len(),
            24
        );
    }

    #[test]
    fn workload_may_insist_on_its_connections() {
        let cells = cells(&workloads(&["pubsub"]), &axes(), Combine::OneAtATime);
        assert!(cells.iter().all(|cell| cell.connections == 101));
        assert_eq!(cells.len(), 3);
    }

    #[test]
    fn repeated_values_make_no_repeated_cells() {
        let axes = Axes {
            connections: vec![1, 1],
            pipeline: vec![1],
            value_bytes: vec![8, 8],
        };
        assert_eq!(cells(&workloads(&["get"]), &axes, Combine::Cross).len(), 1);
    }

    #[test]
    fn rounds_go_there_and_back() {
        let (there, mut back) = (order(5, 0, 1), order(5, 1, 1));
        back.reverse();
        assert_eq!(there, back);
        let mut sorted = there;
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 2, 3, 4]);
        assert!((2..20).any(|round| order(5, round, 1) != order(5, 0, 1)));
    }
}
