//! The audience that sinks are measured with.

use sync_core::MemorySink;
use sync_testkit::MadeUpMembers;

#[tokio::test]
async fn made_up_members_are_as_many_as_asked_for_and_change_with_their_version() {
    let audience = MadeUpMembers::default();
    let (mut sink, handle) = MemorySink::new();
    for version in [0, 1] {
        let fill = audience.fill(&mut sink, 20_500, version).await;
        fill.expect("the sink takes all");
    }
    let held = handle.records();
    assert_eq!(held.len(), 20_500);
    for n in [0, 59, 20_499] {
        let [before, after] = [0, 1].map(|version| audience.record(n, version));
        assert_eq!(before.key, after.key);
        assert_ne!(before.data, after.data);
        assert_eq!(held.get(&after.key), Some(&after));
        let member: serde_json::Value = serde_json::from_slice(&after.data).expect("JSON");
        for field in audience.stream().fields() {
            let path = field.path.join("/");
            let pointer = format!("/{path}");
            let declared = member.pointer(&pointer).is_some();
            // Only some members have these.
            let rare = ["unsubscribe_reason", "marketing_permissions"].contains(&&*path);
            assert_eq!(declared, !rare, "{path}");
        }
    }
}
