//! A few replicas with their disks and a network, and everything that must always hold.

mod bounds;
mod check;
mod known;
mod mutants;
mod node;
mod past;
mod rest;
mod returns;
mod scripts;
mod sim;
mod size;
mod symmetry;
mod world;
