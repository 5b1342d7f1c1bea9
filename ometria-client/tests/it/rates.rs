use std::sync::Arc;
use std::time::Duration;

use ometria_client::{Client, Contact, PageRequest, Record};
use tokio::time::Instant;

use crate::transports::{Script, answer, client};

const OK: &str = r#"{"status":"OK","request_id":"r","accepted":1,"rejected":0}"#;

async fn times(script: &Arc<Script>, client: &Client, calls: usize) -> Vec<Instant> {
    let tasks: Vec<_> = (0..calls)
        .map(|i| {
            let client = client.clone();
            let record = Record::from(Contact::new("c", i.to_string()));
            tokio::spawn(async move { client.push_records(vec![record]).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    script.times()
}

#[tokio::test(start_paused = true)]
async fn clones_share_eight_pushes_a_second_and_use_nearly_all_of_them() {
    let script = Script::new([answer(202, OK)]);
    let times = times(&script, &client(script.clone()), 160).await;
    let took = *times.last().unwrap() - times[0];
    assert!(159.0 / took.as_secs_f64() >= 0.95 * 8.0, "{took:?}");
    for (i, start) in times.iter().enumerate() {
        let end = *start + Duration::from_secs(1);
        let within = times[i..].iter().take_while(|time| **time < end).count();
        assert!(within <= 8, "{within} pushes in one second");
    }
}

#[tokio::test(start_paused = true)]
async fn reads_and_data_deletions_have_allowances_of_their_own() {
    let script = Script::new([answer(200, "[]")]);
    let client = client(script.clone());
    let begin = Instant::now();
    for _ in 0..5 {
        client.push_errors().await.unwrap();
    }
    assert_eq!(begin.elapsed(), Duration::from_millis(1_020));
    let begin = Instant::now();
    for _ in 0..7 {
        client
            .data_deletion_requests(PageRequest::default())
            .await
            .unwrap();
    }
    assert_eq!(begin.elapsed(), Duration::from_millis(61_200));
}
