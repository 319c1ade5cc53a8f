//! What a plan is made by. Operators set the rules (`balance.triggers`); the numbers are fixed, and
//! others than the usual ones are for tests.

use crate::plan::Rule;
use crate::snapshot::Standing;

/// How a plan is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How far from its aim a broker's load may be before anything is moved for it, in thousandths
    /// of the mean of the fullest resource.
    pub band_permille: u32,
    /// Up to where it is brought then. What lies between the two is what loads may change before
    /// the next plan.
    pub settle_permille: u32,
    /// From which part of a disk's capacity on the band isn't waited for, in thousandths.
    pub disk_pressure_permille: u32,
    /// How many steps of the search for moves in chains are taken in one plan.
    pub search_steps: u64,
    /// For which reasons anything is moved. What has no other reason stays, and nothing that is
    /// planned depends on its going.
    pub rules: Rules,
}

/// A set of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules(u16);

impl Rules {
    /// All of them.
    pub const ALL: Self = Self((1 << Rule::ALL.len()) - 1);

    /// Whether a rule is among them.
    #[must_use]
    pub const fn has(self, rule: Rule) -> bool {
        self.0 & (1 << rule as u16) != 0
    }

    /// Whether the replicas of a broker that stands so are to leave it.
    pub(crate) const fn empty(self, standing: Standing) -> bool {
        match standing {
            Standing::Active => false,
            Standing::Draining => self.has(Rule::Drain),
            Standing::Absent => self.has(Rule::LostBroker),
        }
    }
}

impl FromIterator<Rule> for Rules {
    fn from_iter<I: IntoIterator<Item = Rule>>(rules: I) -> Self {
        Self(rules.into_iter().fold(0, |all, rule| all | 1 << rule as u16))
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            band_permille: 50,
            settle_permille: 25,
            disk_pressure_permille: 850,
            search_steps: 100_000,
            rules: Rules::ALL,
        }
    }
}
