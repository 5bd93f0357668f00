-- Up Migration

-- For the lists of the HTTP interface: each page is read along an index, however long the table is.
CREATE INDEX idx_orders_place ON orders (created_slot, created_tx_index, created_event_index);
CREATE INDEX idx_orders_status ON orders (status, created_slot, created_tx_index, created_event_index);
-- What a wallet has in escrow.
CREATE INDEX idx_orders_escrowed ON orders (owner) WHERE escrowed > 0;
CREATE INDEX idx_trades_time ON trades (executed_at, position);
CREATE INDEX idx_certificates_time ON certificates (issued_at, address);

-- Down Migration
DROP INDEX idx_certificates_time;
DROP INDEX idx_trades_time;
DROP INDEX idx_orders_escrowed;
DROP INDEX idx_orders_status;
DROP INDEX idx_orders_place;
