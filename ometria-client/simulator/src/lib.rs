//! Stateful simulator of the Ometria APIs, for tests and demos
