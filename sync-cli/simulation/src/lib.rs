//! Deterministic simulation of whole imports: one seed decides members, changes, faults and kills.
