//! What an operator can set.

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
}

impl Default for Options {
    fn default() -> Self {
        Self {
            band_permille: 50,
            settle_permille: 25,
            disk_pressure_permille: 850,
            search_steps: 100_000,
        }
    }
}
