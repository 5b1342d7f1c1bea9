SELECT
    c."_KEY" AS campaign_key,
    {c.account_id} AS account_id,
    {c.id} AS campaign_id,
    {c.type} AS type,
    {c.status} AS status,
    {c.settings.title} AS title,
    {c.settings.subject_line} AS subject_line,
    {c.settings.preview_text} AS preview_text,
    {c.settings.from_name} AS from_name,
    {c.recipients.list_id} AS list_id,
    {c.recipients.list_name} AS list_name,
    {c.create_time timestamp} AS created_at,
    {c.send_time timestamp} AS sent_at,
    COALESCE({r.emails_sent integer}, {c.emails_sent integer}) AS sent,
    COALESCE({r.emails_sent integer}, {c.emails_sent integer}) - (
        COALESCE({r.bounces.hard_bounces integer}, 0) + COALESCE({r.bounces.soft_bounces integer}, 0)
        + COALESCE({r.bounces.syntax_errors integer}, 0)
    ) AS delivered,
    COALESCE({r.opens.opens_total integer}, {c.report_summary.opens integer}) AS opens,
    COALESCE({r.opens.unique_opens integer}, {c.report_summary.unique_opens integer}) AS unique_opens,
    {r.opens.proxy_excluded_unique_opens integer} AS unique_opens_by_people,
    -- Fractions: 0.25 is a quarter.
    COALESCE({r.opens.open_rate number}, {c.report_summary.open_rate number}) AS open_rate,
    {r.opens.proxy_excluded_open_rate number} AS open_rate_by_people,
    {r.opens.last_open timestamp} AS last_opened_at,
    COALESCE({r.clicks.clicks_total integer}, {c.report_summary.clicks integer}) AS clicks,
    COALESCE({r.clicks.unique_subscriber_clicks integer}, {c.report_summary.subscriber_clicks integer}) AS unique_clicks,
    COALESCE({r.clicks.click_rate number}, {c.report_summary.click_rate number}) AS click_rate,
    {r.clicks.last_click timestamp} AS last_clicked_at,
    {r.bounces.hard_bounces integer} AS hard_bounces,
    {r.bounces.soft_bounces integer} AS soft_bounces,
    (
        {r.bounces.hard_bounces integer} + {r.bounces.soft_bounces integer}
        + COALESCE({r.bounces.syntax_errors integer}, 0)
    )::FLOAT / NULLIF({r.emails_sent integer}, 0) AS bounce_rate,
    {r.unsubscribed integer} AS unsubscribes,
    ({r.unsubscribed integer})::FLOAT / NULLIF({r.emails_sent integer}, 0) AS unsubscribe_rate,
    {r.abuse_reports integer} AS abuse_reports,
    {r.forwards.forwards_count integer} AS forwards,
    {r.ecommerce.total_orders integer} AS orders,
    {r.ecommerce.total_revenue number} AS revenue,
    {r.ecommerce.currency_code} AS currency_code
FROM {campaigns} AS c
?reports LEFT JOIN {reports} AS r
?reports     ON {r.id} = {c.id} AND {r.account_id} IS NOT DISTINCT FROM {c.account_id} AND r."_DELETED_AT" IS NULL
WHERE c."_DELETED_AT" IS NULL
