//! Products as the API gives them.

use serde_json::Number;

use crate::field::Timestamp;
use crate::record::record;

record! {
    /// A product of a store.
    Product {
        /// Id of the product, unique in the store.
        id: String,
        /// ISO 4217 code.
        currency_code: String,
        /// Title.
        title: String,
        /// Name in addresses.
        handle: String,
        /// Where it is sold.
        url: String,
        /// Description.
        description: String,
        /// Kind, in the store's words.
        #[serde(rename = "type")]
        kind: String,
        /// Who makes it.
        vendor: String,
        /// Address of its picture.
        image_url: String,
        /// Variants, 50 at most: [`crate::StoreHandle::variants`] has them all.
        variants: Vec<ProductVariant>,
        /// Pictures.
        images: Vec<ProductImage>,
        /// When it was put on sale, as told by the store.
        published_at_foreign: Timestamp,
    }
}

record! {
    /// A variant of a product.
    ProductVariant {
        /// Id of the variant, unique in the product.
        id: String,
        /// Title.
        title: String,
        /// Where it is sold.
        url: String,
        /// Stock-keeping unit.
        sku: String,
        /// Price.
        price: Number,
        /// Pieces in stock. Can be negative.
        inventory_quantity: i64,
        /// Address of its picture.
        image_url: String,
        /// Backorders, in the store's words.
        backorders: String,
        /// Visibility, in the store's words.
        visibility: String,
        /// When it was made.
        created_at: Timestamp,
        /// When it was last changed.
        updated_at: Timestamp,
    }
}

record! {
    /// A picture of a product.
    ProductImage {
        /// Id of the picture, unique in the product.
        id: String,
        /// Where it is.
        url: String,
        /// Variants it shows.
        variant_ids: Vec<String>,
    }
}
