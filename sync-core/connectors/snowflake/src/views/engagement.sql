WITH event AS (
    SELECT
        {e.account_id} AS account_id,
        {e.campaign_id} AS campaign_id,
        {e.list_id} AS list_id,
        {e.email_id} AS email_id,
        {e.email_address} AS email_address,
        {e.action} AS action,
        {e.type} AS type,
        {e.timestamp timestamp} AS happened_at
    FROM {email_activity} AS e
    WHERE e."_DELETED_AT" IS NULL
?sent_to     UNION ALL
?sent_to     SELECT
?sent_to         {s.account_id},
?sent_to         {s.campaign_id},
?sent_to         {s.list_id},
?sent_to         {s.email_id},
?sent_to         {s.email_address},
?sent_to         'sent',
?sent_to         NULL,
?sent_to         NULL
?sent_to     FROM {sent_to} AS s
?sent_to     WHERE s."_DELETED_AT" IS NULL
),
member_campaign AS (
    SELECT
        account_id,
        campaign_id,
        list_id,
        email_id,
        MAX(email_address) AS email_address,
        COALESCE(BOOLOR_AGG(action = 'open'), FALSE) AS opened,
        COUNT_IF(action = 'open') AS opens,
        MIN(IFF(action = 'open', happened_at, NULL)) AS first_opened_at,
        MAX(IFF(action = 'open', happened_at, NULL)) AS last_opened_at,
        COALESCE(BOOLOR_AGG(action = 'click'), FALSE) AS clicked,
        COUNT_IF(action = 'click') AS clicks,
        MIN(IFF(action = 'click', happened_at, NULL)) AS first_clicked_at,
        MAX(IFF(action = 'click', happened_at, NULL)) AS last_clicked_at,
        COALESCE(BOOLOR_AGG(action = 'bounce'), FALSE) AS bounced,
        MAX(IFF(action = 'bounce', type, NULL)) AS bounce_type
    FROM event
    GROUP BY account_id, campaign_id, list_id, email_id
)
SELECT
    m.account_id,
    m.campaign_id,
    {c.settings.title} AS campaign_title,
    {c.send_time timestamp} AS sent_at,
    m.list_id,
    m.email_id,
    m.email_address,
    -- Who is in here got the e-mail. Those who did nothing are in here only if the stream sent_to is read.
    TRUE AS sent,
    m.opened,
    m.opens,
    m.first_opened_at,
    m.last_opened_at,
    m.clicked,
    m.clicks,
    m.first_clicked_at,
    m.last_clicked_at,
    m.bounced,
    m.bounce_type
FROM member_campaign AS m
?campaigns LEFT JOIN {campaigns} AS c
?campaigns     ON {c.id} = m.campaign_id AND {c.account_id} IS NOT DISTINCT FROM m.account_id
