//! One account: its audiences and batches, and which code answers for which resource.

use http::Method;
use serde_json::json;

use crate::account_spec::AccountSpec;
use crate::audience::Audience;
use crate::batches::{self, Batches};
use crate::campaigns::Campaigns;
use crate::definitions;
use crate::exports::Exports;
use crate::faults::Faults;
use crate::files::Files;
use crate::folders::Folders;
use crate::lists;
use crate::member_list;
use crate::member_writes;
use crate::problem::Problem;
use crate::query::Call;
use crate::render::Answer;
use crate::roster::Roster;
use crate::route::Resource;
use crate::segments;
use crate::settings::Settings;
use crate::simulator::Context;
use crate::spec::AudienceSpec;
use crate::stores::Store;
use crate::webhooks::{self, Webhook};

/// Everything that requests read and change.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// In order of creation.
    pub(crate) audiences: Vec<Audience>,
    pub(crate) batches: Batches,
    pub(crate) campaigns: Campaigns,
    pub(crate) folders: Folders,
    pub(crate) templates: Roster,
    pub(crate) files: Files,
    pub(crate) landing_pages: Roster,
    pub(crate) surveys: Roster,
    /// Responses to each survey.
    pub(crate) survey_responses: u32,
    pub(crate) automations: Roster,
    /// People in the queue of each e-mail of an automation, and as many who were taken out of each automation.
    pub(crate) queued: u32,
    pub(crate) conversations: Roster,
    pub(crate) integrations: Roster,
    pub(crate) stores: Vec<Store>,
    pub(crate) exports: Exports,
    pub(crate) faults: Faults,
    /// How many audiences there ever were.
    made: u32,
    /// How many webhooks there ever were.
    pub(crate) webhooks_made: u32,
}

impl Account {
    /// An empty account whose batches meet these faults.
    pub(crate) fn new(faults: Faults) -> Self {
        Self {
            faults,
            ..Self::default()
        }
    }

    pub(crate) fn add(&mut self, spec: AudienceSpec, settings: &Settings, now: u32) {
        let hidden = settings.hidden_statuses.clone();
        self.delete(&spec.id);
        let audience = Audience::new(spec, self.made, settings.seed, now, hidden);
        self.made += 1;
        self.audiences.push(audience);
    }

    /// Makes everything that a spec asks for. What there was of the same kind is replaced, except audiences.
    pub(crate) fn fill(&mut self, spec: AccountSpec, settings: &Settings, now: u32) {
        let first_members = spec
            .audiences
            .iter()
            .map(|audience| (audience.id.clone(), audience.first_member));
        let mut audiences: Vec<(String, u32)> = first_members.collect();
        for audience in spec.audiences {
            let engaged = audience.engaged;
            self.add(audience, settings, now);
            if let Some(audience) = self.audiences.last_mut().filter(|_| engaged) {
                audience
                    .webhooks
                    .push(Webhook::made_on_site(self.webhooks_made));
                self.webhooks_made += 1;
            }
        }
        if audiences.is_empty() {
            let there = self
                .audiences
                .iter()
                .map(|audience| (audience.id.clone(), 0));
            audiences.extend(there);
        }
        self.campaigns = Campaigns::default();
        self.campaigns
            .fill(spec.campaigns, spec.history, &audiences, settings.seed, now);
        self.folders = Folders {
            campaigns: spec.campaigns.folders,
            templates: spec.content.template_folders,
        };
        let content = spec.content;
        let roster = |count| Roster::new(count, spec.history, now);
        self.templates = roster(content.templates);
        self.files = Files {
            held: roster(content.files),
            folders: roster(content.file_folders),
            bytes: content.file_bytes,
            seed: settings.seed,
        };
        self.landing_pages = roster(content.landing_pages);
        self.surveys = roster(content.surveys);
        self.survey_responses = content.survey_responses;
        self.automations = roster(content.automations);
        self.queued = content.queued;
        self.conversations = roster(content.conversations);
        self.integrations = roster(content.integrations);
        let lists = audiences.iter().map(|(id, _)| id.as_str()).cycle();
        self.stores = (0_u32..)
            .zip(spec.stores)
            .zip(lists.chain(std::iter::repeat("")))
            .map(|((number, store), list)| {
                let list = list.to_owned();
                Store::new(store, number, list, spec.history, settings.seed, now)
            })
            .collect();
        for audience in &mut self.audiences {
            audience.sells = self.stores.iter().any(|store| store.list == audience.id);
        }
    }

    pub(crate) fn delete(&mut self, id: &str) -> bool {
        let before = self.audiences.len();
        self.audiences.retain(|audience| audience.id != id);
        self.audiences.len() < before
    }

    pub(crate) fn audience(&self, id: &str) -> Option<&Audience> {
        self.audiences.iter().find(|audience| audience.id == id)
    }

    pub(crate) fn audience_mut(&mut self, id: &str) -> Option<&mut Audience> {
        self.audiences.iter_mut().find(|audience| audience.id == id)
    }

    /// Whether time has to pass before the account is what it should be by now.
    pub(crate) fn is_behind(&self, context: &Context<'_>) -> bool {
        let now = context.now.timestamp_millis();
        self.audiences
            .iter()
            .any(|audience| audience.is_behind(now))
            || self.batches.is_behind(context.now)
    }

    /// Lets everything happen that is due by now.
    pub(crate) fn pass_time(&mut self, context: &Context<'_>) {
        for audience in &mut self.audiences {
            audience.reveal(context.now.timestamp_millis());
        }
        batches::pass_time(self, context);
    }
}

/// Answers a request whose credential was good.
pub(crate) fn answer(
    account: &mut Account,
    context: &Context<'_>,
    call: &Call,
) -> Result<Answer, Problem> {
    if call.method == Method::GET {
        return read(account, context, call);
    }
    let segments = call.segments();
    let resource = resource(&segments, call)?;
    match resource {
        Resource::Batches => batches::submit(account, context, call),
        Resource::Batch(id) => batches::stop(account, id),
        Resource::Tabled(endpoint, ids) => endpoint.write(account, context, call, ids),
        _ => {
            let list = resource.list().ok_or_else(Problem::not_found)?;
            write(account, context, list, resource, call)
        }
    }
}

/// Answers a GET, which changes nothing.
pub(crate) fn read(
    account: &Account,
    context: &Context<'_>,
    call: &Call,
) -> Result<Answer, Problem> {
    let segments = call.segments();
    let resource = resource(&segments, call)?;
    match resource {
        Resource::Root => lists::root(account, context, call),
        Resource::Ping => Ok(Answer::json(
            &json!({"health_status": "Everything's Chimpy!"}),
        )),
        Resource::Lists => lists::lists(account, context, call),
        Resource::SearchMembers => lists::search(account, context, call),
        Resource::Batches => batches::list(account, context, call),
        Resource::Batch(id) => batches::get(account, context, id, call),
        Resource::Tabled(endpoint, ids) => endpoint.read(account, context, call, ids),
        _ => {
            let list = resource.list().and_then(|list| account.audience(list));
            read_audience(
                account,
                context,
                list.ok_or_else(Problem::not_found)?,
                resource,
                call,
            )
        }
    }
}

/// The resource that a call names, if its method is one of those it has.
fn resource<'a>(segments: &[&'a str], call: &Call) -> Result<Resource<'a>, Problem> {
    let resource = Resource::at(segments).ok_or_else(Problem::not_found)?;
    if resource.allows(&call.method) {
        Ok(resource)
    } else {
        Err(Problem::method_not_allowed(resource.allowed()))
    }
}

fn read_audience(
    account: &Account,
    context: &Context<'_>,
    audience: &Audience,
    resource: Resource<'_>,
    call: &Call,
) -> Result<Answer, Problem> {
    match resource {
        Resource::List(_) => lists::list(account, context, audience, call),
        Resource::Members(_) => member_list::list(context, audience, call),
        Resource::Member(_, key) => lists::member(context, audience, key, call),
        Resource::MemberTags(_, key) => segments::member_tags(context, audience, key, call),
        Resource::MergeFields(_) => definitions::merge_fields(context, audience, call),
        Resource::MergeField(_, id) => definitions::merge_field(context, audience, id, call),
        Resource::Categories(_) => definitions::categories(context, audience, call),
        Resource::Category(_, id) => definitions::category(context, audience, id, call),
        Resource::Interests(_, id) => definitions::interests(context, audience, id, call),
        Resource::Interest(_, category, id) => {
            definitions::interest(context, audience, category, id, call)
        }
        Resource::Segments(_) => segments::segments(context, audience, call),
        Resource::Segment(_, id) => segments::segment(context, audience, id, call),
        Resource::SegmentMembers(_, id) => segments::members(context, audience, id, call),
        Resource::TagSearch(_) => segments::tag_search(context, audience, call),
        Resource::Webhooks(_) => webhooks::list(context, audience, call),
        Resource::Webhook(_, id) => webhooks::get(context, audience, id, call),
        _ => Err(Problem::not_found()),
    }
}

fn write(
    account: &mut Account,
    context: &Context<'_>,
    list: &str,
    resource: Resource<'_>,
    call: &Call,
) -> Result<Answer, Problem> {
    let webhook_number = account.webhooks_made;
    let audience = account.audience_mut(list).ok_or_else(Problem::not_found)?;
    match (resource, &call.method) {
        (Resource::Members(_), _) => member_writes::add(context, audience, call),
        (Resource::Member(_, key), &Method::PUT) => {
            member_writes::upsert(context, audience, key, call)
        }
        (Resource::Member(_, key), &Method::PATCH) => {
            member_writes::patch(context, audience, key, call)
        }
        (Resource::Member(_, key), _) => member_writes::archive(context, audience, key),
        (Resource::MemberTags(_, key), _) => member_writes::tags(context, audience, key, call),
        (Resource::DeletePermanent(_, key), _) => member_writes::forget(context, audience, key),
        (Resource::Webhooks(_), _) => {
            let answer = webhooks::create(context, audience, webhook_number, call)?;
            account.webhooks_made += 1;
            Ok(answer)
        }
        (Resource::Webhook(_, id), &Method::PATCH) => webhooks::patch(context, audience, id, call),
        (Resource::Webhook(_, id), _) => webhooks::delete(audience, id),
        _ => Err(Problem::not_found()),
    }
}
