SELECT
    c._key AS campaign_key,
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
    {c.create_time} AS created_at,
    {c.send_time} AS sent_at,
    coalesce({r.emails_sent}, {c.emails_sent}) AS sent,
    coalesce({r.emails_sent}, {c.emails_sent}) - (
        coalesce({r.bounces.hard_bounces}, 0) + coalesce({r.bounces.soft_bounces}, 0)
        + coalesce({r.bounces.syntax_errors}, 0)
    ) AS delivered,
    coalesce({r.opens.opens_total}, {c.report_summary.opens}) AS opens,
    coalesce({r.opens.unique_opens}, {c.report_summary.unique_opens}) AS unique_opens,
    {r.opens.proxy_excluded_unique_opens} AS unique_opens_by_people,
    -- Fractions: 0.25 is a quarter.
    coalesce({r.opens.open_rate}, {c.report_summary.open_rate}) AS open_rate,
    {r.opens.proxy_excluded_open_rate} AS open_rate_by_people,
    {r.opens.last_open} AS last_opened_at,
    coalesce({r.clicks.clicks_total}, {c.report_summary.clicks}) AS clicks,
    coalesce({r.clicks.unique_subscriber_clicks}, {c.report_summary.subscriber_clicks}) AS unique_clicks,
    coalesce({r.clicks.click_rate}, {c.report_summary.click_rate}) AS click_rate,
    {r.clicks.last_click} AS last_clicked_at,
    {r.bounces.hard_bounces} AS hard_bounces,
    {r.bounces.soft_bounces} AS soft_bounces,
    ({r.bounces.hard_bounces} + {r.bounces.soft_bounces} + coalesce({r.bounces.syntax_errors}, 0))
        / CAST(nullif({r.emails_sent}, 0) AS REAL) AS bounce_rate,
    {r.unsubscribed} AS unsubscribes,
    {r.unsubscribed} / CAST(nullif({r.emails_sent}, 0) AS REAL) AS unsubscribe_rate,
    {r.abuse_reports} AS abuse_reports,
    {r.forwards.forwards_count} AS forwards,
    {r.ecommerce.total_orders} AS orders,
    {r.ecommerce.total_revenue} AS revenue,
    {r.ecommerce.currency_code} AS currency_code
FROM campaigns AS c
?reports LEFT JOIN reports AS r
?reports     ON {r.id} = {c.id} AND {r.account_id} IS {c.account_id} AND r._deleted_at IS NULL
WHERE c._deleted_at IS NULL
