/// A listener on a loopback port that serves one simulator.
#[derive(Debug)]
pub struct Server;
