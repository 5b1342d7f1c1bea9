SELECT
    -- In the order of the database's language, as all other text.
    m._key COLLATE "default" AS member_key,
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
    {m.vip boolean} AS is_vip,
    {m.member_rating integer} AS rating,
    {m.timestamp_signup timestamp} AS signed_up_at,
    {m.timestamp_opt timestamp} AS opted_in_at,
    {m.last_changed timestamp} AS last_changed_at,
    -- As Mailchimp gives them.
    {m.stats.avg_open_rate number} AS open_rate,
    {m.stats.avg_click_rate number} AS click_rate,
    -- As the e-mail activity tells.
    activity.opens,
    activity.clicks,
    activity.last_opened_at,
    activity.last_clicked_at,
    activity.last_activity_at,
    -- The first fifty: a member comes with no more.
    (
        SELECT string_agg(tag ->> 'name', ', ')
        FROM jsonb_array_elements(
            CASE jsonb_typeof({m.tags json}) WHEN 'array' THEN {m.tags json} ELSE '[]' END
        ) AS tag
    ) AS tags,
    {m.tags_count integer} AS tag_count
FROM {members} AS m
?lists LEFT JOIN {lists} AS l
?lists     ON {l.id} = {m.list_id} AND {l.account_id} IS NOT DISTINCT FROM {m.account_id}
LEFT JOIN (
?email_activity     SELECT
?email_activity         {e.account_id} AS account_id,
?email_activity         {e.list_id} AS list_id,
?email_activity         {e.email_id} AS email_id,
?email_activity         count(*) FILTER (WHERE {e.action} = 'open') AS opens,
?email_activity         count(*) FILTER (WHERE {e.action} = 'click') AS clicks,
?email_activity         max({e.timestamp timestamp}) FILTER (WHERE {e.action} = 'open') AS last_opened_at,
?email_activity         max({e.timestamp timestamp}) FILTER (WHERE {e.action} = 'click') AS last_clicked_at,
?email_activity         max({e.timestamp timestamp}) FILTER (WHERE {e.action} IN ('open', 'click')) AS last_activity_at
?email_activity     FROM {email_activity} AS e
?email_activity     WHERE e._deleted_at IS NULL
?email_activity     GROUP BY 1, 2, 3
!email_activity     SELECT
!email_activity         NULL::text AS account_id,
!email_activity         NULL::text AS list_id,
!email_activity         NULL::text AS email_id,
!email_activity         NULL::bigint AS opens,
!email_activity         NULL::bigint AS clicks,
!email_activity         NULL::timestamptz AS last_opened_at,
!email_activity         NULL::timestamptz AS last_clicked_at,
!email_activity         NULL::timestamptz AS last_activity_at
) AS activity
    ON activity.email_id = {m.id} AND activity.list_id = {m.list_id}
    AND activity.account_id IS NOT DISTINCT FROM {m.account_id}
WHERE m._deleted_at IS NULL
