-- A kit has components, none of them a kit; nothing else has any.
SELECT p.sku, p.kind, c.component, part.kind AS component_kind
FROM product p
LEFT JOIN kit_component c ON c.kit = p.sku
LEFT JOIN product part ON part.sku = c.component
WHERE (p.kind = 'kit') <> (c.component IS NOT NULL) OR part.kind = 'kit'
