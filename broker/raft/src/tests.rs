//! A few replicas with their disks and a network, and everything that must always hold.

mod bounds;
mod check;
mod mutants;
mod node;
mod scripts;
mod symmetry;
mod world;
