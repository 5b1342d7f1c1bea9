SELECT
    m._key AS member_key,
    {m.account_id} AS account_id,
    {m.list_id} AS list_id,
    {l.name} AS list_name,
    {m.contact_id} AS contact_id,
    {m.id} AS email_id,
    {m.email_address} AS email_address,
    {m.merge_fields.FNAME} AS first_name,
    {m.merge_fields.LNAME} AS last_name,
    {m.full_name} AS full_name,
    {m.status} AS status,
    {m.unsubscribe_reason} AS unsubscribe_reason,
    {m.language} AS language,
    {m.location.country_code} AS country_code,
    {m.vip} AS is_vip,
    {m.member_rating} AS rating,
    {m.timestamp_signup} AS signed_up_at,
    {m.timestamp_opt} AS opted_in_at,
    {m.last_changed} AS last_changed_at,
    -- As Mailchimp gives them.
    {m.stats.avg_open_rate} AS open_rate,
    {m.stats.avg_click_rate} AS click_rate,
    -- As the e-mail activity tells.
    activity.opens,
    activity.clicks,
    activity.last_opened_at,
    activity.last_clicked_at,
    activity.last_activity_at,
    -- The first fifty: a member comes with no more.
    (SELECT group_concat(tag.value ->> 'name', ', ') FROM json_each({m.tags}) AS tag) AS tags,
    {m.tags_count} AS tag_count
FROM members AS m
?lists LEFT JOIN lists AS l ON {l.id} = {m.list_id} AND {l.account_id} IS {m.account_id}
LEFT JOIN (
?email_activity     SELECT
?email_activity         {e.account_id} AS account_id,
?email_activity         {e.list_id} AS list_id,
?email_activity         {e.email_id} AS email_id,
?email_activity         sum({e.action} = 'open') AS opens,
?email_activity         sum({e.action} = 'click') AS clicks,
?email_activity         max(CASE {e.action} WHEN 'open' THEN {e.timestamp} END) AS last_opened_at,
?email_activity         max(CASE {e.action} WHEN 'click' THEN {e.timestamp} END) AS last_clicked_at,
?email_activity         max(CASE WHEN {e.action} IN ('open', 'click') THEN {e.timestamp} END) AS last_activity_at
?email_activity     FROM email_activity AS e
?email_activity     WHERE e._deleted_at IS NULL
?email_activity     GROUP BY 1, 2, 3
!email_activity     SELECT
!email_activity         NULL AS account_id,
!email_activity         NULL AS list_id,
!email_activity         NULL AS email_id,
!email_activity         NULL AS opens,
!email_activity         NULL AS clicks,
!email_activity         NULL AS last_opened_at,
!email_activity         NULL AS last_clicked_at,
!email_activity         NULL AS last_activity_at
) AS activity
    ON activity.email_id = {m.id} AND activity.list_id = {m.list_id} AND activity.account_id IS {m.account_id}
WHERE m._deleted_at IS NULL
