SELECT
    m."_KEY" AS member_key,
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
    tagged.tags,
    {m.tags_count integer} AS tag_count
FROM {members} AS m
?lists LEFT JOIN {lists} AS l
?lists     ON {l.id} = {m.list_id} AND {l.account_id} IS NOT DISTINCT FROM {m.account_id}
LEFT JOIN (
    SELECT m."_KEY" AS member_key, LISTAGG(tag.value:name::VARCHAR, ', ') WITHIN GROUP (ORDER BY tag.index) AS tags
    FROM {members} AS m, LATERAL FLATTEN(INPUT => IFF(IS_ARRAY({m.tags json}), {m.tags json}, NULL)) AS tag
    GROUP BY m."_KEY"
) AS tagged ON tagged.member_key = m."_KEY"
LEFT JOIN (
?email_activity     SELECT
?email_activity         {e.account_id} AS account_id,
?email_activity         {e.list_id} AS list_id,
?email_activity         {e.email_id} AS email_id,
?email_activity         COUNT_IF({e.action} = 'open') AS opens,
?email_activity         COUNT_IF({e.action} = 'click') AS clicks,
?email_activity         MAX(IFF({e.action} = 'open', {e.timestamp timestamp}, NULL)) AS last_opened_at,
?email_activity         MAX(IFF({e.action} = 'click', {e.timestamp timestamp}, NULL)) AS last_clicked_at,
?email_activity         MAX(IFF({e.action} IN ('open', 'click'), {e.timestamp timestamp}, NULL)) AS last_activity_at
?email_activity     FROM {email_activity} AS e
?email_activity     WHERE e."_DELETED_AT" IS NULL
?email_activity     GROUP BY 1, 2, 3
!email_activity     SELECT
!email_activity         NULL::VARCHAR AS account_id,
!email_activity         NULL::VARCHAR AS list_id,
!email_activity         NULL::VARCHAR AS email_id,
!email_activity         NULL::NUMBER(38,0) AS opens,
!email_activity         NULL::NUMBER(38,0) AS clicks,
!email_activity         NULL::TIMESTAMP_TZ AS last_opened_at,
!email_activity         NULL::TIMESTAMP_TZ AS last_clicked_at,
!email_activity         NULL::TIMESTAMP_TZ AS last_activity_at
) AS activity
    ON activity.email_id = {m.id} AND activity.list_id = {m.list_id}
    AND activity.account_id IS NOT DISTINCT FROM {m.account_id}
WHERE m."_DELETED_AT" IS NULL
